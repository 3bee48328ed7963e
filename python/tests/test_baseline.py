"""What guessing costs, found in the graph of the loss: right, or not known."""

import copy
import gc
import math
import weakref

import pytest
import torch
import torch.nn.functional as F
from support import gradscope, lines
from torch import nn

import gradscope as recorder
from gradscope.baseline.baseline import Baseline
from gradscope.baseline.measurement import Found, Measurement
from gradscope.baseline.watch import BACKWARD

ROWS, BATCH, CLASSES = 640, 64, 5
#: Two passes over the rows.
EVERY = 20


def data(seed=1):
    own = torch.Generator().manual_seed(seed)
    x = torch.randn(ROWS, 4, generator=own)
    return x, own


def classes(own, shares=(0.5, 0.2, 0.15, 0.1, 0.05)):
    return torch.multinomial(torch.tensor(shares), ROWS, replacement=True, generator=own)


def mlp(outputs, seed=2):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, outputs))


def train(path, model, loss_of, steps=EVERY, every=EVERY, lr=0.05, **settings):
    """Trains on all rows in turn; ``loss_of`` takes the model and the places of the rows of a batch."""
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    scope = recorder.watch(model, path, every=every, **settings)
    losses = []
    for step in range(steps):
        rows = torch.arange(BATCH) + step * BATCH % ROWS
        optimizer.zero_grad()
        loss = loss_of(model, rows)
        loss.backward()
        scope.step(loss)
        optimizer.step()
        losses.append(loss.item())
    scope.close()
    assert torch.autograd.backward is ORIGINAL
    return losses


ORIGINAL = torch.autograd.backward


def baselines(path):
    return [line.get("baseline") for line in lines(path, "epoch")]


def found(path):
    """What the first epoch's line says, if anything."""
    first = baselines(path)[0]
    return None if first is None else first["loss"]


def entropy(weights):
    share = weights.double() / weights.double().sum()
    return float(-torch.xlogy(share, share).sum())


def about(value, within=1e-4):
    return pytest.approx(value, rel=within)


# Cross-entropy


def of_classes():
    x, own = data()
    y = classes(own)
    return x, y, recorder.chance_loss(y, "cross-entropy")


CLASS_FORMS = {
    "logits": lambda z, y: F.cross_entropy(z, y),
    "module": lambda z, y: nn.CrossEntropyLoss()(z, y),
    "nll": lambda z, y: F.nll_loss(F.log_softmax(z, 1), y),
    "log of softmax": lambda z, y: F.nll_loss(F.softmax(z, 1).log(), y),
    "log of clamped softmax": lambda z, y: F.nll_loss(F.softmax(z, -1).clamp(1e-7).log(), y),
    "none, then mean": lambda z, y: F.cross_entropy(z, y, reduction="none").mean(),
    "gather": lambda z, y: -F.log_softmax(z, -1).gather(1, y[:, None]).mean(),
    "index": lambda z, y: -F.log_softmax(z, 1)[torch.arange(len(y)), y].mean(),
    "one-hot": lambda z, y: -(F.one_hot(y, CLASSES) * F.log_softmax(z, 1)).sum(1).mean(),
    "soft": lambda z, y: F.cross_entropy(z, F.one_hot(y, CLASSES).float()),
    "divided": lambda z, y: F.cross_entropy(z, y) / 4 * 4,
    "double": lambda z, y: F.cross_entropy(z.double(), y),
}


@pytest.mark.parametrize("form", CLASS_FORMS)
def test_a_cross_entropy_costs_the_entropy_of_its_classes(tmp_path, form):
    x, y, told = of_classes()
    train(tmp_path / "run.jsonl", mlp(CLASSES), lambda m, i: CLASS_FORMS[form](m(x[i]), y[i]))
    assert found(tmp_path / "run.jsonl") == about(told)
    assert baselines(tmp_path / "run.jsonl")[0]["explained"] == about(1.0)
    gradscope("check", tmp_path / "run.jsonl")


def test_a_sum_over_the_batch_and_a_coefficient_are_in_the_units_of_the_loss(tmp_path):
    x, y, told = of_classes()
    train(tmp_path / "sum.jsonl", mlp(CLASSES), lambda m, i: F.cross_entropy(m(x[i]), y[i], reduction="sum"), lr=1e-3)
    assert found(tmp_path / "sum.jsonl") == about(told * BATCH)
    train(tmp_path / "times.jsonl", mlp(CLASSES), lambda m, i: 7 * F.cross_entropy(m(x[i]), y[i]))
    assert found(tmp_path / "times.jsonl") == about(told * 7)


def test_class_weights_count(tmp_path):
    x, y, _ = of_classes()
    w = torch.tensor([0.2, 1.0, 1.5, 2.0, 4.0])
    weighted = entropy(torch.bincount(y) * w)
    train(tmp_path / "run.jsonl", mlp(CLASSES), lambda m, i: F.cross_entropy(m(x[i]), y[i], weight=w))
    # Each batch has a weight of its own.
    assert found(tmp_path / "run.jsonl") == about(weighted, 0.03)
    by_hand = tmp_path / "hand.jsonl"
    train(by_hand, mlp(CLASSES), lambda m, i: (F.cross_entropy(m(x[i]), y[i], reduction="none") * w[y[i]]).mean())
    assert found(by_hand) == about(weighted * float(w[y].mean()))


def test_classes_that_are_ignored_do_not_count(tmp_path):
    x, y, _ = of_classes()
    y = torch.where(torch.arange(ROWS) % 3 == 0, torch.tensor(-100), y)
    told = recorder.chance_loss(y[y >= 0], "cross-entropy")
    train(tmp_path / "run.jsonl", mlp(CLASSES), lambda m, i: F.cross_entropy(m(x[i]), y[i]))
    assert found(tmp_path / "run.jsonl") == about(told, 2e-3)
    z = y.clamp_min(0)
    mask = (y >= 0).float()

    def masked(m, i):
        each = F.cross_entropy(m(x[i]), z[i], reduction="none")
        return (each * mask[i]).sum() / mask[i].sum()

    train(tmp_path / "mask.jsonl", mlp(CLASSES), masked)
    assert found(tmp_path / "mask.jsonl") == about(told, 2e-3)


def test_smoothed_and_soft_labels_are_what_is_to_be_guessed(tmp_path):
    x, y, _ = of_classes()
    counts = torch.bincount(y) / ROWS
    train(tmp_path / "smooth.jsonl", mlp(CLASSES), lambda m, i: F.cross_entropy(m(x[i]), y[i], label_smoothing=0.2))
    assert found(tmp_path / "smooth.jsonl") == about(entropy(0.8 * counts + 0.2 / CLASSES))
    soft = torch.softmax(torch.randn(ROWS, CLASSES, generator=torch.Generator().manual_seed(5)) * 3, 1)
    train(tmp_path / "soft.jsonl", mlp(CLASSES), lambda m, i: F.cross_entropy(m(x[i]), soft[i]))
    assert found(tmp_path / "soft.jsonl") == about(entropy(soft.mean(0)))


def test_pixels_and_tokens_are_classified_one_by_one(tmp_path):
    torch.manual_seed(0)
    x, y = torch.randn(ROWS, 1, 4, 4), torch.randint(0, 3, (ROWS, 4, 4)).clamp_max(1)
    told = recorder.chance_loss(y, "cross-entropy")
    train(tmp_path / "pixels.jsonl", nn.Conv2d(1, 3, 3, padding=1), lambda m, i: F.cross_entropy(m(x[i]), y[i]))
    assert found(tmp_path / "pixels.jsonl") == about(told)
    tokens = torch.randint(0, 3, (ROWS, 7)).clamp_max(1)
    model = nn.Sequential(nn.Embedding(3, 8), nn.Linear(8, 3))
    train(tmp_path / "tokens.jsonl", model, lambda m, i: F.cross_entropy(m(tokens[i]).transpose(1, 2), tokens[i]))
    assert found(tmp_path / "tokens.jsonl") == about(recorder.chance_loss(tokens, "cross-entropy"))


# Binary cross-entropy


def of_labels(columns=3):
    x, own = data()
    return x, (torch.rand(ROWS, columns, generator=own) < torch.tensor([0.1, 0.5, 0.8])[:columns]).float()


def test_a_binary_cross_entropy_costs_the_entropy_of_each_column(tmp_path):
    x, y = of_labels()
    told = sum(recorder.chance_loss(y[:, c], "bce") for c in range(3)) / 3
    train(tmp_path / "logits.jsonl", mlp(3), lambda m, i: F.binary_cross_entropy_with_logits(m(x[i]), y[i]))
    assert found(tmp_path / "logits.jsonl") == about(told)
    train(tmp_path / "shares.jsonl", mlp(3), lambda m, i: F.binary_cross_entropy(torch.sigmoid(m(x[i])), y[i]))
    assert found(tmp_path / "shares.jsonl") == about(told)
    x, y = of_labels(1)
    one = lambda m, i: F.binary_cross_entropy_with_logits(m(x[i]).squeeze(1), y[i, 0])  # noqa: E731
    train(tmp_path / "one.jsonl", mlp(1), one)
    assert found(tmp_path / "one.jsonl") == about(recorder.chance_loss(y, "bce"))


def test_the_weight_of_positives_counts(tmp_path):
    x, y = of_labels(1)
    p = torch.tensor([6.0])
    share = float(y.mean())
    ones, zeros = 6 * share, 1 - share
    told = -(ones * math.log(ones / (ones + zeros)) + zeros * math.log(zeros / (ones + zeros)))
    form = lambda m, i: F.binary_cross_entropy_with_logits(m(x[i]), y[i], pos_weight=p)  # noqa: E731
    train(tmp_path / "run.jsonl", mlp(1), form)
    assert found(tmp_path / "run.jsonl") == about(told)


def test_targets_outside_of_0_to_1_have_no_entropy(tmp_path):
    x, y = of_labels(1)
    train(tmp_path / "run.jsonl", mlp(1), lambda m, i: F.binary_cross_entropy_with_logits(m(x[i]), 9 * y[i]))
    assert found(tmp_path / "run.jsonl") is None


# Regression


def of_numbers(columns=2):
    x, own = data()
    y = torch.randn(ROWS, columns, generator=own).exp() * torch.tensor([1.0, 0.1, 5.0])[:columns] + 3
    return x, y


def by_column(y):
    return float(y.double().var(0, unbiased=False).mean())


SQUARE_FORMS = {
    "function": lambda p, y: F.mse_loss(p, y),
    "power": lambda p, y: ((p - y) ** 2).mean(),
    "the other way": lambda p, y: (y - p).pow(2).mean(),
    "product": lambda p, y: ((p - y) * (p - y)).mean(),
    "squared": lambda p, y: torch.square(p - y).mean(),
    "rows": lambda p, y: (p - y).square().sum(1).mean() / p.shape[1],
    "none": lambda p, y: F.mse_loss(p, y, reduction="none").mean(),
    "sum": lambda p, y: F.mse_loss(p, y, reduction="sum") / p.numel(),
    "half": lambda p, y: F.mse_loss(p.flatten(), y.flatten()) if p.shape[1] == 1 else F.mse_loss(p, y),
}


@pytest.mark.parametrize("form", SQUARE_FORMS)
@pytest.mark.parametrize("columns", [1, 2])
def test_squares_cost_the_variance_of_each_column(tmp_path, form, columns):
    x, y = of_numbers(columns)
    train(tmp_path / "run.jsonl", mlp(columns), lambda m, i: SQUARE_FORMS[form](m(x[i]), y[i]), lr=1e-2)
    assert found(tmp_path / "run.jsonl") == about(by_column(y))


def least(y, each):
    """The least that a constant costs, looked for on a grid."""
    grid = torch.linspace(float(y.min()), float(y.max()), 4001, dtype=torch.float64)
    return float(each(y.double().reshape(-1, 1) - grid).mean(0).min())


@pytest.mark.parametrize("form", ["l1", "smooth-l1", "huber", "by hand"])
def test_absolute_errors_cost_those_of_the_best_constant(tmp_path, form):
    x, y = of_numbers(1)
    zero = torch.zeros(1, dtype=torch.float64)
    loss, each = {
        "l1": (F.l1_loss, torch.abs),
        "by hand": (lambda p, y: (y - p).abs().mean(), torch.abs),
        "smooth-l1": (F.smooth_l1_loss, lambda d: F.smooth_l1_loss(d, zero.expand_as(d), reduction="none")),
        "huber": (
            lambda p, y: F.huber_loss(p, y, delta=0.3),
            lambda d: F.huber_loss(d, zero.expand_as(d), reduction="none", delta=0.3),
        ),
    }[form]
    train(tmp_path / "run.jsonl", mlp(1), lambda m, i: loss(m(x[i]), y[i]))
    assert found(tmp_path / "run.jsonl") == about(least(y, each), 1e-3)


def test_targets_that_are_broadcast_cost_their_variance(tmp_path):
    x, y = of_numbers(1)
    told = by_column(y)
    with pytest.warns(UserWarning, match="target size"):
        train(tmp_path / "run.jsonl", mlp(1), lambda m, i: F.mse_loss(m(x[i]), y[i, 0]), lr=1e-2)
    assert found(tmp_path / "run.jsonl") == about(told)
    train(tmp_path / "hand.jsonl", mlp(1), lambda m, i: ((m(x[i]) - y[i, 0]) ** 2).mean(), lr=1e-2)
    assert found(tmp_path / "hand.jsonl") == about(told)


def test_images_are_guessed_pixel_by_pixel(tmp_path):
    torch.manual_seed(0)
    x = torch.randn(ROWS, 1, 4, 4) * torch.rand(4, 4) + torch.randn(4, 4) * 3
    train(tmp_path / "run.jsonl", nn.Conv2d(1, 1, 3, padding=1), lambda m, i: F.mse_loss(m(x[i]), x[i]), lr=1e-3)
    assert found(tmp_path / "run.jsonl") == about(by_column(x.flatten(1)))


def test_images_of_other_sizes_share_a_column(tmp_path):
    torch.manual_seed(0)
    x = torch.randn(ROWS, 1, 6)
    cut = lambda i: x[i][..., : 4 + int(i[0]) // BATCH % 3]  # noqa: E731
    train(tmp_path / "run.jsonl", nn.Conv1d(1, 1, 3, padding=1), lambda m, i: F.mse_loss(m(cut(i)), cut(i)))
    assert found(tmp_path / "run.jsonl") == about(1.0, 0.05)


# Sums, accumulation, scalers, closures


class TwoHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.a, self.b = nn.Linear(4, 16), nn.Linear(16, CLASSES), nn.Linear(16, 2)

    def forward(self, x):
        h = torch.tanh(self.body(x))
        return {"class": self.a(h), "numbers": (self.b(h),)}


def two_tasks():
    x, y, told = of_classes()
    numbers = of_numbers(2)[1]
    return x, y, numbers, told, by_column(numbers)


def test_losses_add_up_with_their_coefficients(tmp_path):
    x, y, numbers, entropy_, variance = two_tasks()

    def loss_of(m, i):
        out = m(x[i])
        return F.cross_entropy(out["class"], y[i]) + 0.01 * ((out["numbers"][0] - numbers[i]) ** 2).mean()

    train(tmp_path / "run.jsonl", TwoHeads(), loss_of)
    assert found(tmp_path / "run.jsonl") == about(entropy_ + 0.01 * variance)


def in_passes(path, model, losses, told_of, steps=EVERY, watched=None):
    """Trains with several backward passes a step."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
    scope = recorder.watch(watched or model, path, every=EVERY)
    for step in range(steps):
        rows = torch.arange(BATCH) + step * BATCH % ROWS
        optimizer.zero_grad()
        own = []
        for loss_of in losses:
            loss = loss_of(model, rows)
            loss.backward()
            own.append(loss)
        scope.step(told_of(own))
        optimizer.step()
    scope.close()


@pytest.mark.parametrize("told", ["sum", "mean", "last undivided", "last", "float"])
def test_micro_batches_are_one_batch(tmp_path, told):
    x, y, entropy_ = of_classes()
    parts = [
        lambda m, i, k=k: F.cross_entropy(m(x[i[k::4]]), y[i[k::4]]) / (1 if told == "last" else 4) for k in range(4)
    ]
    of = {
        "sum": lambda own: sum(own),
        "float": lambda own: sum(one.item() for one in own),
        "mean": lambda own: torch.stack([one.detach() * 4 for one in own]).mean(),
        "last undivided": lambda own: own[-1] * 4,
        "last": lambda own: own[-1],
    }[told]
    in_passes(tmp_path / "run.jsonl", mlp(CLASSES), parts, of)
    if told == "last":
        # The others' losses, as they add up, may be of something else.
        entropy_ = recorder.chance_loss(y[3::4], "cross-entropy")
    assert found(tmp_path / "run.jsonl") == about(entropy_, 1e-3)


def test_losses_that_are_passed_one_by_one_add_up(tmp_path):
    x, y, numbers, entropy_, variance = two_tasks()
    losses = [
        lambda m, i: F.cross_entropy(m(x[i])["class"], y[i]),
        lambda m, i: 0.01 * F.mse_loss(m(x[i])["numbers"][0], numbers[i]),
    ]
    in_passes(tmp_path / "run.jsonl", TwoHeads(), losses, sum)
    assert found(tmp_path / "run.jsonl") == about(entropy_ + 0.01 * variance)


@pytest.mark.parametrize("is_told", [True, False])
def test_a_scale_is_taken_out_whether_it_was_told_or_not(tmp_path, is_told):
    x, y, told = of_classes()

    class Scaler:
        _scale, _per_optimizer_states = torch.tensor(2.0**12), {}

        def is_enabled(self):
            return True

    scaler, model = Scaler(), mlp(CLASSES)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    scope = recorder.watch(model, tmp_path / "run.jsonl", every=EVERY, scaler=scaler if is_told else None)
    for step in range(EVERY):
        rows = torch.arange(BATCH) + step * BATCH % ROWS
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x[rows]), y[rows])
        if step == 7:
            # As after an overflow.
            scaler._scale = scaler._scale / 2
        (loss * scaler._scale).backward()
        scope.step(loss)
        for p in model.parameters():
            p.grad /= scaler._scale
        optimizer.step()
    scope.close()
    assert found(tmp_path / "run.jsonl") == about(told)


def test_a_step_that_overflows_counts_for_nothing(tmp_path):
    x, y = of_numbers(1)
    huge = lambda m, i: F.mse_loss(m(x[i]), y[i]) * (math.inf if int(i[0]) == 128 else 1.0)  # noqa: E731
    model = mlp(1)
    scope = recorder.watch(model, tmp_path / "run.jsonl", every=EVERY)
    for step in range(EVERY):
        rows = torch.arange(BATCH) + step * BATCH % ROWS
        model.zero_grad()
        huge(model, rows).backward()
        scope.step(F.mse_loss(model(x[rows]), y[rows]))
    scope.close()
    assert found(tmp_path / "run.jsonl") == about(by_column(y[[i for i in range(ROWS) if not 128 <= i < 192]]), 0.02)


def test_a_closure_that_is_called_again_is_of_the_same_targets(tmp_path):
    x, y = of_numbers(2)
    model = mlp(2)
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.1, max_iter=3)
    scope = recorder.watch(model, tmp_path / "run.jsonl", every=EVERY)
    for _ in range(EVERY):

        def closure():
            optimizer.zero_grad()
            loss = F.mse_loss(model(x), y)
            loss.backward()
            return loss

        loss = closure()
        scope.step(loss)
        optimizer.step(closure)
    scope.close()
    assert found(tmp_path / "run.jsonl") == about(by_column(y))


# Not known


class Twice(torch.autograd.Function):
    @staticmethod
    def forward(ctx, p, y):
        ctx.save_for_backward(p - y)
        return ((p - y) ** 2).mean()

    @staticmethod
    def backward(ctx, g):
        (r,) = ctx.saved_tensors
        return 2 * g * r / r.numel(), None


def rewards():
    return torch.rand(ROWS, generator=torch.Generator().manual_seed(9)) * 3


def focal(z, y):
    p = F.softmax(z, 1).gather(1, y[:, None])
    return ((1 - p) ** 2 * -F.log_softmax(z, 1).gather(1, y[:, None])).mean()


def focal_of_none(z, y):
    each = F.cross_entropy(z, y, reduction="none")
    return ((1 - torch.exp(-each.detach())) ** 2 * each).mean()


UNKNOWN_FORMS = {
    "policy gradient": lambda z, y, i: -(F.log_softmax(z, 1).gather(1, y[:, None])[:, 0] * (rewards()[i] - 1)).mean(),
    "rewards above zero": lambda z, y, i: -(F.log_softmax(z, 1).gather(1, y[:, None])[:, 0] * rewards()[i]).mean(),
    "rewards and a cross-entropy": lambda z, y, i: (F.cross_entropy(z, y, reduction="none") * rewards()[i]).mean(),
    "distribution": lambda z, y, i: -(torch.distributions.Categorical(logits=z).log_prob(y) * rewards()[i]).mean(),
    "critic": lambda z, y, i: z[:, 0].mean() - z[:, 1].mean(),
    "gaussian": lambda z, y, i: F.gaussian_nll_loss(z[:, 0], y.float(), z[:, 1].exp()),
    "focal": lambda z, y, i: focal(z, y),
    "focal of none": lambda z, y, i: focal_of_none(z, y),
    "dice": lambda z, y, i: 1 - 2 * (z.sigmoid()[:, 0] * (y > 0)).sum() / (z.sigmoid()[:, 0].sum() + (y > 0).sum()),
    "custom function": lambda z, y, i: Twice.apply(z[:, 0], y.float()),
    "penalty": lambda z, y, i: F.cross_entropy(z, y) + 3 * (z**2).mean(),
    "entropy bonus": lambda z, y, i: (
        F.cross_entropy(z, y) + 0.5 * (F.softmax(z, 1) * F.log_softmax(z, 1)).sum(1).mean()
    ),
    "nll of logits": lambda z, y, i: F.nll_loss(z, y),
    "hinge": lambda z, y, i: F.multi_margin_loss(z, y),
    "root of squares": lambda z, y, i: F.mse_loss(z[:, 0], y.float()).sqrt(),
    "a target that learns": lambda z, y, i: F.mse_loss(z[:, 0], z[:, 1] + y),
    "divergence": lambda z, y, i: F.kl_div(F.log_softmax(z, 1), F.softmax(y[:, None] * torch.ones(5), 1)),
    "one target": lambda z, y, i: F.binary_cross_entropy_with_logits(z[:, 0], torch.full((len(z),), 0.9)),
    "two constant targets": lambda z, y, i: (
        F.binary_cross_entropy_with_logits(z[:, 0], torch.ones(len(z)))
        + F.binary_cross_entropy_with_logits(z[:, 1], torch.zeros(len(z)))
    ),
}


@pytest.mark.filterwarnings("ignore:reduction")
@pytest.mark.parametrize("form", UNKNOWN_FORMS)
def test_what_no_constant_is_best_for_is_not_known(tmp_path, form):
    x, y, _ = of_classes()
    train(tmp_path / "run.jsonl", mlp(CLASSES), lambda m, i: UNKNOWN_FORMS[form](m(x[i]), y[i], i), lr=1e-3)
    assert baselines(tmp_path / "run.jsonl") == [None]


def test_a_loss_told_that_was_never_passed_backward_is_not_known(tmp_path):
    x, y, _ = of_classes()
    noise = torch.rand(EVERY, generator=torch.Generator().manual_seed(3)).tolist()
    in_passes(
        tmp_path / "run.jsonl", mlp(CLASSES), [lambda m, i: F.cross_entropy(m(x[i]), y[i])], lambda _: noise.pop()
    )
    assert found(tmp_path / "run.jsonl") is None


def test_real_and_fake_that_are_passed_one_by_one_are_no_task(tmp_path):
    x, _ = data()
    losses = [
        lambda m, i: F.binary_cross_entropy_with_logits(m(x[i]), torch.ones(BATCH, 1)),
        lambda m, i: F.binary_cross_entropy_with_logits(m(-x[i]), torch.zeros(BATCH, 1)),
    ]
    in_passes(tmp_path / "run.jsonl", mlp(1), losses, sum)
    assert found(tmp_path / "run.jsonl") is None


def test_contrastive_classes_cost_no_more_than_the_start(tmp_path):
    x, _ = data()

    def loss_of(m, i):
        a, b = m(x[i]), m(x[i] + 0.1)
        return F.cross_entropy(a @ b.t(), torch.arange(BATCH))

    losses = train(tmp_path / "run.jsonl", mlp(3), loss_of, lr=1e-3)
    assert found(tmp_path / "run.jsonl") == about(min(math.log(BATCH), losses[0]))


# The guard


def q_learning(model, x, rewards, copied):
    def loss_of(m, i):
        with torch.no_grad():
            ahead = copied(x[i].roll(1, 0)).max(1).values
        return F.mse_loss(m(x[i])[:, 0], rewards[i] + 0.99 * ahead)

    return loss_of


def test_targets_that_a_network_makes_are_withdrawn(tmp_path):
    x, _ = data()
    model = mlp(2)
    copied = copy.deepcopy(model)
    # The copy follows, and its values grow.
    of = q_learning(model, x, 0.1 * torch.randn(ROWS), copied)

    def loss_of(m, i):
        with torch.no_grad():
            for p in copied.parameters():
                p *= 1.02
        return of(m, i)

    train(tmp_path / "run.jsonl", model, loss_of, steps=5 * EVERY, lr=1e-2)
    seen = baselines(tmp_path / "run.jsonl")
    assert [one["loss"] != "NaN" for one in seen] == [True, True, False, False, False]
    assert [one.get("withdrawn", False) for one in seen] == [False, False, True, True, True]
    gradscope("check", tmp_path / "run.jsonl")


def test_targets_that_stay_are_kept_and_nothing_is_looked_at_later(tmp_path):
    x, y, told = of_classes()
    looked = []

    def loss_of(m, i):
        looked.append(torch.autograd.backward is not ORIGINAL)
        return F.cross_entropy(m(x[i]), y[i])

    train(tmp_path / "run.jsonl", mlp(CLASSES), loss_of, steps=5 * EVERY)
    seen = baselines(tmp_path / "run.jsonl")
    assert len(seen) == 5 and all(one == seen[0] for one in seen) and seen[0]["loss"] == about(told)
    # The forward pass that follows an epoch ends it: its own look is at what was there before.
    by_epoch = [looked[i : i + EVERY] for i in range(0, len(looked), EVERY)]
    assert [all(one[1:]) for one in by_epoch] == [True, False, True, False, False]
    assert not any(by_epoch[1][1:] + by_epoch[3][1:] + by_epoch[4])


def test_short_epochs_are_measured_together(tmp_path):
    x, y, told = of_classes()
    train(tmp_path / "run.jsonl", mlp(CLASSES), lambda m, i: F.cross_entropy(m(x[i]), y[i]), steps=30, every=4)
    seen = baselines(tmp_path / "run.jsonl")
    assert seen[:4] == [None] * 4 and all(one["loss"] == about(told) for one in seen[4:])


def test_the_two_measurements_are_compared():
    class Told(Baseline):
        def begin(self):
            self._now = next(measured)
            self._now.begin = self._now.end = lambda: None

    class Fixed(Measurement):
        def __init__(self, found):
            self._own, self.steps = found, 50

        def result(self):
            return self._own

    def lines_of(*results):
        nonlocal measured
        measured = iter([Fixed(one) for one in results])
        own = Told(None)
        own.begin()
        return [own.end_epoch(False) for _ in range(4)]

    measured = iter(())
    assert [one["loss"] for one in lines_of(Found(2.0, 1.0), Found(3.9, 1.0))] == [2.0] * 4
    assert [one["loss"] for one in lines_of(Found(2.0, 1.0), Found(4.1, 1.0))] == [2.0, 2.0, "NaN", "NaN"]
    assert [one["loss"] for one in lines_of(Found(2.0, 1.0), None)] == [2.0, 2.0, "NaN", "NaN"]
    assert lines_of(None) == [None] * 4


# What is told, and what is left alone


def test_what_is_told_is_not_looked_for(tmp_path):
    x, y, told = of_classes()
    looked = []

    def loss_of(m, i):
        looked.append(torch.autograd.backward is not ORIGINAL)
        return F.cross_entropy(m(x[i]), y[i])

    train(tmp_path / "told.jsonl", mlp(CLASSES), loss_of, chance_loss=1.5)
    assert not any(looked) and baselines(tmp_path / "told.jsonl") == [None]
    train(tmp_path / "targets.jsonl", mlp(CLASSES), loss_of, targets=y, steps=45)
    assert baselines(tmp_path / "targets.jsonl") == [None] * len(lines(tmp_path / "targets.jsonl", "epoch"))
    assert lines(tmp_path / "targets.jsonl", "header")[0]["data"]["chance_loss"] == told
    # The loss is found in the first step's graph, and with it what the targets cost.
    assert looked[EVERY:] == [True] + [False] * 44


def run(model, is_watched, path):
    x, y, numbers, *_ = two_tasks()
    torch.manual_seed(7)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    scope = recorder.watch(model, path, every=EVERY) if is_watched else None
    losses = []
    for _ in range(3 * EVERY):
        rows = torch.randint(0, ROWS, (BATCH,))
        optimizer.zero_grad()
        out = model(F.dropout(x[rows], 0.1))
        loss = F.cross_entropy(out["class"], y[rows], label_smoothing=0.1)
        loss = loss + 0.1 * F.l1_loss(out["numbers"][0], numbers[rows])
        loss.backward()
        if scope:
            scope.step(loss)
        optimizer.step()
        losses.append(loss.item())
    if scope:
        scope.close()
    return losses, [p.detach().clone() for p in model.parameters()], torch.get_rng_state()


def test_training_is_the_same_to_the_bit(tmp_path):
    torch.manual_seed(0)
    model = TwoHeads()
    plain = run(copy.deepcopy(model), False, None)
    seen = run(copy.deepcopy(model), True, tmp_path / "run.jsonl")
    assert found(tmp_path / "run.jsonl") is not None
    assert plain[0] == seen[0] and all(map(torch.equal, plain[1], seen[1])) and torch.equal(plain[2], seen[2])


def test_two_models_at_once_have_each_its_own(tmp_path):
    x, y, told = of_classes()
    numbers = of_numbers(2)[1]
    a, b = mlp(CLASSES), mlp(2)
    one = recorder.watch(a, tmp_path / "a.jsonl", every=EVERY)
    with recorder.watch(b, tmp_path / "b.jsonl", every=EVERY) as other:
        for step in range(EVERY):
            rows = torch.arange(BATCH) + step * BATCH % ROWS
            a.zero_grad()
            b.zero_grad()
            first = F.cross_entropy(a(x[rows]), y[rows])
            second = F.mse_loss(b(x[rows]), numbers[rows])
            first.backward()
            second.backward()
            one.step(first)
            other.step(second)
    assert torch.autograd.backward is not ORIGINAL
    one.close()
    assert torch.autograd.backward is ORIGINAL
    assert found(tmp_path / "a.jsonl") == about(told)
    assert found(tmp_path / "b.jsonl") == about(by_column(numbers))


def test_a_model_that_another_loss_goes_through_has_its_own(tmp_path):
    x, y, told = of_classes()
    model, other = mlp(CLASSES), nn.Linear(4, 4)
    losses = [
        lambda m, i: m(other(x[i])).square().mean() * 3,
        lambda m, i: F.cross_entropy(m(x[i]), y[i]),
    ]
    in_passes(tmp_path / "run.jsonl", model, losses, lambda own: own[-1])
    assert found(tmp_path / "run.jsonl") == about(told)


def test_a_wrap_that_others_have_put_around_it_stays(tmp_path):
    x, y, told = of_classes()
    scope = recorder.watch(mlp(CLASSES), tmp_path / "other.jsonl")
    inner, calls = torch.autograd.backward, []

    def theirs(*args, **named):
        calls.append(1)
        return inner(*args, **named)

    torch.autograd.backward = theirs
    try:
        scope.close()
        assert torch.autograd.backward is theirs
        model = mlp(CLASSES)
        F.cross_entropy(model(x), y).backward()
        assert calls and all(p.grad is not None for p in model.parameters())
        scope = recorder.watch(model, tmp_path / "again.jsonl")
        assert torch.autograd.backward is theirs
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        scope.step(loss)
        scope.close()
        assert found(tmp_path / "again.jsonl") == about(told)
    finally:
        torch.autograd.backward = ORIGINAL
        BACKWARD.__init__()


def test_the_wrap_looks_like_what_it_wraps(tmp_path):
    with recorder.watch(mlp(2), tmp_path / "run.jsonl"):
        assert torch.autograd.backward is not ORIGINAL
        assert torch.autograd.backward.__name__ == "backward"
        assert torch.autograd.backward.__doc__ == ORIGINAL.__doc__
        with pytest.raises(RuntimeError):
            torch.ones(2, requires_grad=True).mul(2).backward()


def test_what_fails_inside_reaches_nobody(tmp_path, monkeypatch):
    def broken(*_):
        raise ValueError("inside")

    x, y, _ = of_classes()
    for place in (
        "passes.find_terms",
        "terms._classes",
        "measurement._choice",
        "passes._mark",
        "measurement.Sums.add",
    ):
        with monkeypatch.context() as patch:
            patch.setattr("gradscope.baseline." + place, broken)
            train(tmp_path / "run.jsonl", mlp(CLASSES), lambda m, i: F.cross_entropy(m(x[i]), y[i]))
        if place != "measurement._choice":
            assert found(tmp_path / "run.jsonl") is None, place


def test_no_graph_is_kept(tmp_path):
    x, y = of_numbers(1)
    model = mlp(1)
    kept = []

    class Kept:
        pass

    with recorder.watch(model, tmp_path / "run.jsonl", every=EVERY) as scope:
        for step in range(5):
            gc.disable()
            try:
                model.zero_grad()
                loss = F.l1_loss(model(x), y) + ((model(x) - y) ** 2).mean()
                mark = Kept()
                loss.grad_fn.metadata["mark"] = mark
                kept.append(weakref.ref(mark))
                del mark
                if step != 3:
                    # One is never passed backward.
                    loss.backward()
                    scope.step(loss)
                del loss
                assert kept[-1]() is None, step
            finally:
                gc.enable()
    gc.collect()


def test_a_copy_of_the_model_is_not_looked_at(tmp_path):
    x, y = of_numbers(1)
    model = mlp(1)
    with recorder.watch(model, tmp_path / "run.jsonl", every=EVERY):
        other = copy.deepcopy(model)
        assert not other(x).grad_fn.metadata
        torch.save(model, tmp_path / "model.pt")

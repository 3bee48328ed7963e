"""Numbers of the record against what they are defined as."""

import copy
import math
import warnings

import pytest
import torch
import torch.nn.functional as F
from support import close, gradscope, lines, summary
from torch import nn, optim

import gradscope as recorder
from gradscope._constants import PROBABILITIES
from gradscope.baseline import sums as baseline_sums
from gradscope.measure import activations, device, meter, rows, sums
from gradscope.measure.activations import UnitMoments
from gradscope.measure.device import fetched
from gradscope.measure.distribution import fetch
from gradscope.measure.rows import Rows
from gradscope.measure.sums import measure
from gradscope.model.layers import find
from gradscope.plan import DetailLevel, StepPlan


def record(model, path, batches, loss_of=None, rate=0.1, **settings):
    optimizer = settings.pop("own_optimizer", None) or optim.SGD(model.parameters(), lr=rate)
    loss_of = loss_of or (lambda out, y: F.cross_entropy(out, y))
    model.train()
    with recorder.watch(model, path, **settings) as scope:
        for x, y in batches:
            optimizer.zero_grad()
            loss = loss_of(model(x), y)
            loss.backward()
            scope.step(loss)
            optimizer.step()
    gradscope("check", path)
    return lines(path)


def batches(count, width=4, classes=3, rows=16):
    return [(torch.randn(rows, width), torch.randint(0, classes, (rows,))) for _ in range(count)]


@pytest.mark.parametrize("kind", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("size", [0, 1, 7, 1024, 5000])
def test_a_distribution_is_what_torch_says(size, kind):
    values = (torch.randn(size, dtype=torch.float64) * 3 + 1).to(kind)
    if size >= 7:
        values[:3] = torch.tensor([0.0, math.nan, -math.inf], dtype=kind)
    (d,) = fetch([measure(values)])
    finite = values.double()[torch.isfinite(values)]
    assert (d.count, d.finite, d.zeros) == (size, finite.numel(), int((finite == 0).sum()))
    assert (d.nan, d.positive, d.negative) == ((1, 0, 1) if size >= 7 else (0, 0, 0))
    if finite.numel():
        assert close(d.mean, float(finite.mean()), 3.0) and close(d.squares, float(finite.square().sum()))
        assert close(d.l1, float(finite.abs().sum())) and close(d.low, float(finite.min()))
        assert close(d.deviations, float((finite - finite.mean()).square().sum()))
        expected = torch.quantile(finite, torch.tensor([0.01, 0.5, 0.99], dtype=torch.float64)).tolist()
        for found, q in zip([d.quantiles()[k] for k in (0, 10, 20)], expected):
            assert abs(found - q) <= 0.07 * abs(q) + (1e-6 if d.exact else 0.05)
    assert d.exact == (d.finite <= 1024) and sum(n for _, n in d.own_bins()) == d.finite - d.zeros


def test_numbers_at_the_ends_of_float32_are_counted_and_read_back(tmp_path):
    class Odd(nn.Module):
        def __init__(self, values):
            super().__init__()
            self.weight = nn.Parameter(values)

        def forward(self, x):
            return x * self.weight[:1, :1]

    for values in ([1e-40, -1e-41, 0.0, -0.0], [3.4e38, -3.4e38], [1e-30] * 3, [-8.0, -8.000001]):
        tensor = torch.tensor(values).repeat(1000).reshape(2, -1)
        d = fetch([measure(tensor)])[0]
        assert d.zeros == int((tensor == 0).sum()) and sum(n for _, n in d.own_bins()) == d.finite - d.zeros
        assert close(d.deviations, float((tensor.double() - tensor.double().mean()).square().sum()))
        record(Odd(tensor), tmp_path / "run.jsonl", [(torch.ones(1, 1), None)] * 2, lambda out, y: out.sum() * 1e-3)


def test_pieces_add_up_to_the_whole(monkeypatch):
    torch.manual_seed(9)
    plain = torch.randn(3 * device.PIECE + 5) * 0.1
    odd, close_together, tiny = plain.clone(), plain * 1e-4 + 30.0, plain * 1e-30
    odd[device.PIECE + 1] = math.inf
    odd[-1], odd[7] = math.nan, 0.0
    for values in (plain, odd, close_together, tiny, plain.clamp(min=0.0), plain[::2], plain.double()):
        (d,) = fetch([measure(values)])
        with monkeypatch.context() as patch:
            on_a_device(patch)
            (whole,) = fetch([measure(values)])
        kept = ("count", "finite", "nan", "positive", "negative", "zeros", "low", "high", "sample")
        assert all(getattr(d, name) == getattr(whole, name) for name in kept) and d.own_bins() == whole.own_bins()
        for name in ("mean", "deviations", "l1", "squares"):
            ours, theirs = getattr(d, name), getattr(whole, name)
            scale = math.sqrt(whole.squares / whole.count) if name == "mean" else theirs
            assert abs(ours - theirs) <= 1e-6 * scale, name


def test_zeros_beyond_what_float32_counts_and_of_any_default_type_are_taken_out_of_the_bins():
    many = 2**24 + 3
    half = torch.zeros(many, dtype=torch.bfloat16)
    half[-1] = 1.0
    (d,) = fetch([measure(half)])
    assert (d.zeros, d.own_bins()) == (many - 1, [(127 << 4, 1)])
    torch.set_default_dtype(torch.bfloat16)
    try:
        (d,) = fetch([measure(torch.randn(5000, dtype=torch.float32).relu())])
    finally:
        torch.set_default_dtype(torch.float32)
    assert sum(n for _, n in d.own_bins()) == 5000 - d.zeros > 0 and all(n > 0 for _, n in d.own_bins())


def test_zeros_with_a_sign_are_no_negative_numbers(monkeypatch):
    values = torch.cat([torch.full((600,), 1e-40), torch.full((600,), -0.0), torch.full((3,), -1e-40), torch.ones(9)])
    expected = [(-15, 3), (15, 600), (127 << 4, 9)]
    assert fetch([measure(values)])[0].own_bins() == expected
    on_a_device(monkeypatch)
    assert fetch([measure(values)])[0].own_bins() == expected


def test_measuring_in_inference_mode_leaves_nothing_that_cannot_be_written_outside(tmp_path):
    device._workspaces.by_type.clear()
    values = torch.randn(3000)
    with torch.inference_mode():
        (inside,) = fetch([measure(values)])
    (outside,) = fetch([measure(values)])
    assert inside.own_bins() == outside.own_bins() and inside.squares == outside.squares


@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("size", [1.0, 1e-3, 1e-7])
def test_decay_alignment_is_the_cosine_between_an_update_and_the_way_to_zero(size, kind):
    torch.manual_seed(11)
    weight = nn.Parameter((torch.randn(300, 300) * size).to(kind))
    layer = nn.Linear(300, 300, bias=False)
    layer.weight = weight
    for update in (torch.randn(300, 300), -0.3 * weight.detach(), 0.2 * weight.detach() + 0.1 * torch.randn(300, 300)):
        own = meter.Meter(find(layer), [weight], True)
        weight.grad = torch.ones_like(weight)
        before = weight.detach().double().clone()
        plan = StepPlan(1, DetailLevel.NOTHING, norms=True)
        pending = own.before_update(plan, 1, torch.tensor(1.0), None)
        with torch.no_grad():
            weight += update.to(kind)
        own.after_update(pending)
        (step,) = own.fetch([pending])
        change = weight.detach().double() - before
        expected = float(-(before * change).sum() / (before.norm() * change.norm()))
        assert abs(step.decay_alignment[0] - expected) <= (2e-2 if kind is torch.bfloat16 else 1e-5)
        with torch.no_grad():
            weight.copy_(before.to(kind))


def test_the_deviation_of_rows_is_exact_where_they_are_equal():
    torch.manual_seed(10)
    matrix = torch.randn(700, 500)
    one = matrix[:1].expand(700, 500).contiguous()
    almost = one.clone()
    almost[300, 7] *= 1.0 + 1e-6
    equal = torch.where(torch.randn(50, 25_088) > 0.0, 0.0123, -0.0123)
    sizes = [matrix * size for size in (1e-15, 1e-9, 1e15)]
    for own in (matrix, almost, matrix.double(), *sizes, torch.randn(5, 600_000), equal):
        wide = own.double()
        mean = wide.mean(0)
        expected = [float((wide - mean).norm(dim=1).max()), float(mean.norm())]
        for found, exactly in zip(fetched([Rows.from_tensor(own).deviation()])[0], expected):
            assert abs(found - exactly) <= 1e-5 * exactly
    assert all(math.isnan(v) for v in fetched([Rows.from_tensor(matrix * math.nan).deviation()])[0])
    assert fetched([Rows.from_tensor(one).deviation()])[0][0] == 0.0
    assert Rows.from_tensor(matrix[:1]) is None and Rows.from_tensor(matrix[0]) is None


@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.bfloat16])
def test_norms_of_equal_values_are_right_however_many_there_are(kind):
    shapes = [(3000, 2100), (5, 600_000), (64, 64, 3, 3), (1025,), (4096, 64), (9,), ()]
    several = [torch.full(shape, 0.0123, dtype=kind) for shape in shapes]
    matrix = several[0]
    several += [matrix.t(), matrix[:, 7:1500], matrix[:1].expand(3000, 2100), matrix[::3]]
    several.append(torch.full((512, 256, 3, 3), 0.0123, dtype=kind).to(memory_format=torch.channels_last))
    for values in several:
        (found,) = meter.norms([values])
        expected = math.sqrt(values.numel()) * float(values.flatten()[0])
        limit = 1e-5 if values.numel() > rows.MANY else 2e-4
        assert abs(float(found) - expected) <= limit * expected, (values.shape, values.stride())
    for size in (0.0, 1e-25, 1e22, math.nan, math.inf):
        values = torch.randn(70, 90, dtype=torch.float32) * size
        expected = float(values.double().norm())
        assert float(meter.norms([values])[0]) == pytest.approx(expected, rel=1e-5, abs=0.0, nan_ok=True)
    assert meter.norms([torch.zeros(0, 3)])[0] == 0.0


def test_sums_of_what_is_known_by_its_rows_are_those_of_all_values():
    torch.manual_seed(15)
    several = [torch.randn(300, 500), torch.full((400, 300), 0.01), torch.randn(40, 900) + 7.0, torch.randn(7, 9000)]
    for matrix in several:
        total, squares = Rows.from_tensor(matrix).sums()
        wide = matrix.double()
        assert abs(squares - float(wide.square().sum())) <= 2e-6 * squares
        assert abs(total - float(wide.sum())) <= 2e-6 * math.sqrt(squares * matrix.numel())
        known, read = fetch([measure(matrix, DetailLevel.BINS, (total, squares)), measure(matrix, DetailLevel.BINS)])
        for name in ("mean", "deviations", "l1", "squares"):
            ours, theirs = getattr(known, name), getattr(read, name)
            scale = math.sqrt(read.squares / read.count) if name == "mean" else theirs
            assert abs(ours - theirs) <= 2e-6 * scale, name
        assert known.own_bins() == read.own_bins()


@pytest.mark.parametrize("size", [5, 21, 22, 700, 1024, 5000, 30_000, 1 << 20])
def test_quantiles_of_a_part_are_those_of_values_that_lie_anywhere(size, monkeypatch):
    torch.manual_seed(12)
    # Columns of a matrix differ more than rows do: whoever looks at few of them is wrong.
    values = torch.randn(size) + torch.linspace(-3.0, 3.0, 1024).repeat(size // 1024 + 1)[:size]
    (d,) = fetch([measure(values, DetailLevel.QUANTILES)])
    ordered = values.double().sort().values
    for found, q in zip(d.quantiles(), PROBABILITIES):
        assert abs(float((ordered <= found).double().mean()) - q) <= (0.02 if size > 1024 else 1.0 / size), q
    if size <= 1024:
        assert close(d.quantiles()[7], float(torch.quantile(ordered, PROBABILITIES[7])), 1.0)
    line = d.wire(DetailLevel.QUANTILES)
    assert ("values" in line) == (size <= 21) and ("q" in line) == (size > 21) and "bins" not in line
    ends = (float(ordered[0]), float(ordered[-1]))
    assert (d.low, d.high, d.zeros) == (*ends, 0) and close(d.mean, float(ordered.mean()), 1.0)
    with monkeypatch.context() as patch:
        on_a_device(patch)
        assert fetch([measure(values, DetailLevel.QUANTILES)])[0].quantiles() == d.quantiles()
    values[size // 3] = math.nan
    (broken,) = fetch([measure(values, DetailLevel.QUANTILES)])
    assert broken.nan == 1 and abs(broken.quantiles()[10] - d.quantiles()[10]) <= (0.1 if size > 21 else 9.0)
    (nothing,) = fetch([measure(values * math.nan, DetailLevel.QUANTILES)])
    assert nothing.finite == 0 and "q" not in nothing.wire(DetailLevel.QUANTILES)
    one_value = torch.full((size,), math.nan).index_fill(0, torch.tensor([size // 3]), 2.0)
    (alone,) = fetch([measure(one_value, DetailLevel.QUANTILES)])
    assert alone.finite == 1 and "NaN" not in str(alone.wire(DetailLevel.QUANTILES))
    (zeros,) = fetch([measure(torch.zeros(size) * -1.0, DetailLevel.QUANTILES)])
    assert zeros.quantiles() == [0.0] * 21


def test_quantiles_are_within_a_bin_of_those_of_all_values():
    torch.manual_seed(13)
    several = [torch.randn(9000) * 3 + 1, torch.randn(5000).relu(), -torch.rand(3000), torch.zeros(2000)]
    several.append(torch.cat([torch.full((2000,), 2.0), torch.full((2000,), math.nan)]))
    for values, d in zip(several, fetch([measure(v, DetailLevel.BINS) for v in several])):
        finite = values[values.isfinite()].double()
        for found, q in zip(d.quantiles(), PROBABILITIES):
            expected = float(torch.quantile(finite, q))
            assert abs(found - expected) <= 2.0**-4 * abs(expected) + 1e-3, (found, expected)
        assert d.sample == []
    (d,) = fetch([measure(several[0], DetailLevel.MOMENTS)])
    assert d.wire().keys() == {"n", "range", "mean", "m2", "l1", "ss"}


@pytest.mark.parametrize("shift", [0.0, 1.0, 1e4, math.inf])
@pytest.mark.parametrize("scale", [1.0, 1e-25, 1e25])
def test_units_of_float32_are_those_of_float64(shift, scale):
    torch.manual_seed(14)
    rows = (torch.randn(130, 300) + shift) * scale
    for each in (True, False):
        units = UnitMoments.measure(rows, each).fetched()
        wide = rows.double()
        expected = float((wide - wide.mean(0)).square().mean().sqrt())
        if not each and scale == 1.0 and shift < 10.0:
            total, squares = UnitMoments.measure(rows, each).sums
            assert close(squares, float(wide.square().sum())) and close(total, float(wide.sum()), squares)
        assert (math.isnan(units.spread()) and math.isnan(expected)) or close(units.spread(), expected)
    same = torch.randn(1, 300).expand(130, 300)
    assert UnitMoments.measure(same.contiguous(), False).fetched().spread() <= 1e-12


def test_bins_of_several_passes_add_up_to_those_of_all():
    values = torch.randn(6000)
    whole = fetch([measure(values)])[0]
    merged, other = fetch([measure(values[:900]), measure(values[900:])])
    merged.merge(other)
    assert merged.own_bins() == whole.own_bins() and merged.count == whole.count
    assert close(merged.deviations, whole.deviations) and close(merged.mean, whole.mean, 1.0)


class Everything(nn.Module):
    """In-place and functional activations, a module used twice, a shared weight, a frozen one."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(20, 8)
        self.first = nn.Linear(8, 8)
        self.norm = nn.BatchNorm1d(8)
        self.twice = nn.Linear(8, 8)
        self.frozen = nn.Linear(8, 8).requires_grad_(False)
        self.last = nn.Linear(8, 20, bias=False)
        self.last.weight = self.words.weight

    def forward(self, x):
        x = F.relu_(self.norm(self.first(self.words(x))))
        x = torch.tanh(self.twice(F.leaky_relu(self.twice(x), 0.2)))
        return self.last(torch.sigmoid(self.frozen(x)))


def test_functional_in_place_shared_frozen_and_repeated_parts_are_told_apart(tmp_path):
    data = [(torch.randint(0, 20, (16,)), torch.randint(0, 20, (16,))) for _ in range(6)]
    model = Everything()
    plain = copy.deepcopy(model)
    found = record(model, tmp_path / "run.jsonl", data, every=2, rate=0.01)
    layers = {layer["name"]: layer for layer in found[0]["layers"]}
    assert list(layers) == ["words", "first", "norm", "twice", "frozen"]
    assert (layers["first"]["activation"], layers["first"]["normalized"]) == ("relu", True)
    assert layers["frozen"]["activation"] == "sigmoid" and not layers["frozen"]["trainable"]
    assert found[0]["run"]["loss"] == "cross-entropy"
    captured = dict(zip(layers, found[1]["capture"]))
    pre = plain.norm(plain.first(plain.words(data[0][0]))).detach()
    seen = captured["first"]["activations"]
    assert close(seen["pre"]["ss"], float(pre.square().sum())) and seen["pre"]["n"] == 128
    assert seen["post"]["zeros"] == int((pre <= 0).sum())
    assert close(seen["post"]["ss"], float(F.relu(pre).square().sum()))
    assert "weight_grad" not in captured["frozen"] and "signal_l2" in captured["frozen"]
    # The nonlinearities behind it differ.
    assert layers["twice"]["activation"] in ("tanh", "lrelu")


def test_output_gradients_and_those_of_parameters_are_before_clipping_and_without_the_scale(tmp_path):
    class Scaler:
        """As torch.cuda.amp.GradScaler, on the processor."""

        _scale, _per_optimizer_states = torch.tensor(1024.0), {}

        def is_enabled(self):
            return True

    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
    plain = copy.deepcopy(model)
    (x, y), optimizer = batches(1)[0], optim.SGD(model.parameters(), lr=0.1)
    middle = []
    hook = plain[0].register_forward_hook(lambda m, i, o: (o.retain_grad(), middle.append(o))[1])
    F.cross_entropy(plain(x), y).backward()
    hook.remove()
    with recorder.watch(model, tmp_path / "run.jsonl", every=1, scaler=Scaler()) as scope:
        for _ in range(3):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            (loss * 1024).backward()
            scope.step(loss)
            for p in model.parameters():
                p.grad /= 1024
            nn.utils.clip_grad_norm_(model.parameters(), 1e-3)
            optimizer.step()
    first = lines(tmp_path / "run.jsonl", "epoch")[0]
    total = math.sqrt(sum(float(p.grad.square().sum()) for p in plain.parameters()))
    assert close(first["grad_l2"], total)
    assert close(first["layers"][0]["signal_l2"], float(middle[0].grad.norm()))
    assert close(first["layers"][0]["weight_grad"]["ss"], float(plain[0].weight.grad.square().sum()))
    assert close(first["layers"][0]["update"]["l1"], 1e-4 / total * float(plain[0].weight.grad.abs().sum()))


def test_gradient_accumulation_is_one_step_of_several_passes(tmp_path):
    torch.manual_seed(2)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    plain = copy.deepcopy(model)
    (x, y), optimizer = batches(1, rows=32)[0], optim.SGD(model.parameters(), lr=0.1)
    with recorder.watch(model, tmp_path / "parts.jsonl", every=1, rows=32) as scope:
        for _ in range(2):
            optimizer.zero_grad()
            total = 0.0
            for k in range(4):
                loss = F.cross_entropy(model(x[8 * k : 8 * k + 8]), y[8 * k : 8 * k + 8]) / 4
                loss.backward()
                total = total + loss.detach()
            loss.data = total
            scope.step(loss)
            optimizer.step()
    record(plain, tmp_path / "whole.jsonl", [(x, y)] * 2, every=1, rows=32)
    parts, whole = (lines(tmp_path / f"{n}.jsonl", "epoch")[1] for n in ("parts", "whole"))
    assert close(parts["train_loss"], whole["train_loss"]) and close(parts["grad_l2"], whole["grad_l2"])
    a, b = (e["layers"][0]["activations"] for e in (parts, whole))
    assert a["pre"]["n"] == b["pre"]["n"] == 256 and close(a["pre"]["ss"], b["pre"]["ss"])
    assert close(a["pre_sample_std"], b["pre_sample_std"])
    assert (a["firing"]["samples"], a["firing"]["rate"]) == (b["firing"]["samples"], b["firing"]["rate"])


def test_several_optimizers_are_found_by_their_parameters(tmp_path):
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    other = optim.Adam(nn.Linear(2, 2).parameters())
    first, second = optim.SGD(model[0].parameters(), lr=0.5), optim.AdamW(model[2].parameters(), lr=0.01)
    scope = recorder.watch(model, tmp_path / "run.jsonl", every=2)
    for x, y in batches(5):
        model.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        scope.step(loss)
        first.step()
        second.step()
    scope.close()
    run = lines(tmp_path / "run.jsonl", "header")[0]["run"]
    assert (run["optimizer"], run["lr"], run["weight_decay"]) == ("adamw+sgd", 0.5, 0.01)
    assert lines(tmp_path / "run.jsonl", "epoch")[0]["layers"][0]["steps"]["shrinking"]
    assert other is not None


def test_captures_close_to_one_another_hold_what_a_history_does(tmp_path):
    torch.manual_seed(16)
    large = nn.Sequential(nn.Linear(40, 2600), nn.ReLU(), nn.Linear(2600, 3))
    run = record(large, tmp_path / "large.jsonl", batches(7, width=40), every=2, rate=0.01)
    header, steps, epochs = ([line for line in run if line["kind"] == kind] for kind in ("header", "step", "epoch"))
    assert header[0]["run"]["quantiles_of"] == 16_384 and "bins" in steps[0]["capture"][0]["weight_grad"]
    for line in epochs:
        first, last = line["layers"]
        for part in (first["weight"], first["weight_grad"], last["weight"]):
            assert "q" in part and not {"bins", "values"} & part.keys()
        assert not {"q", "bins", "values"} & (first["update"].keys() | first["activations"]["post"].keys())
        assert len(first["activations"]["firing"]["rate"]) > 2600
        assert last["bias"].keys() == {"n", "range", "mean", "m2", "l1", "ss"}
    assert len(summary(tmp_path / "large.jsonl", tmp_path / "out")["epochs"]) == 3
    page = (tmp_path / "out" / "report.html").read_text()
    assert "21 quantiles of up to 16,384 values" in page and "described exactly" not in page
    small = record(nn.Linear(40, 3), tmp_path / "small.jsonl", batches(3, width=40), every=1)
    assert "quantiles_of" not in small[0]["run"] and "values" in small[-2]["layers"][0]["weight"]


def test_the_place_of_the_first_nan_is_named(tmp_path):
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    data = batches(12)
    data[7][0][3, 2] = math.inf
    record(model, tmp_path / "run.jsonl", data, every=4)
    found = summary(tmp_path / "run.jsonl", tmp_path / "out")["findings"][0]
    assert (found["rule"], found["first_step"], found["severity"]) == ("non-finite", 7, "error")
    assert found["layer"] == "0" and found["evidence"]["stage"] == "activation"


def on_a_device(monkeypatch):
    """As on an accelerator, where looking at a number waits: nothing is looked at but where it is fetched."""
    for module in (activations, baseline_sums, device, meter, rows, sums):
        monkeypatch.setattr(module, "known_at_once", lambda device: False)


def test_on_a_device_the_same_is_measured_and_nothing_is_looked_at_between_capture_points(tmp_path, monkeypatch):
    torch.manual_seed(8)
    model = nn.Sequential(nn.Linear(4, 300), nn.ReLU(), nn.Linear(300, 60), nn.Tanh(), nn.Linear(60, 3))
    data = batches(41)

    def recorded(path):
        own = copy.deepcopy(model)
        optimizer = optim.SGD(own.parameters(), lr=0.1, weight_decay=0.01)
        with recorder.watch(own, path, every=20) as scope:
            for number, (x, y) in enumerate(data):
                optimizer.zero_grad()
                loss = F.cross_entropy(own(x), y)
                loss.backward()
                at.append(number)
                scope.step(loss)
                optimizer.step()
        return [lines(path, kind) for kind in ("step", "epoch")]

    at = []
    expected = recorded(tmp_path / "processor.jsonl")
    on_a_device(monkeypatch)
    looked = set()
    for name in ("item", "tolist", "cpu", "numpy", "__float__", "__int__", "__bool__", "nonzero"):
        inner = getattr(torch.Tensor, name)
        watched = lambda self, *a, inner=inner: looked.add(at[-1]) or inner(self, *a)  # noqa: E731
        monkeypatch.setattr(torch.Tensor, name, watched)
    found = recorded(tmp_path / "device.jsonl")
    # At the first step, and when that begins which follows a capture.
    assert looked == {0, 1, 19, 39, 40}
    assert differences(expected, found) == []


def differences(a, b, where=""):
    """Where two parts of records differ by more than rounding."""
    if isinstance(a, dict) and isinstance(b, dict) and a.keys() == b.keys():
        return [d for key in a for d in differences(a[key], b[key], f"{where}.{key}")]
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        return [d for k in range(len(a)) for d in differences(a[k], b[k], f"{where}[{k}]")]
    if isinstance(a, float) and isinstance(b, (float, int)):
        close_to = abs(a - b) <= 1e-5 * max(abs(a), abs(b)) + 1e-7
        # Rows whose mean is nothing but rounding, as those of a gradient of cross-entropy.
        close_to |= where.endswith("grad_row_deviation") and min(a, b) > 1e6
        return [] if close_to else [(where, a, b)]
    return [] if a == b else [(where, a, b)]


def test_epochs_are_where_the_script_says_and_carry_its_scores(tmp_path):
    model = nn.Linear(4, 3)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    with recorder.watch(model, tmp_path / "run.jsonl", every="epoch", epochs=4) as scope:
        for epoch in range(4):
            for x, y in batches(7):
                optimizer.zero_grad()
                loss = F.cross_entropy(model(x), y)
                loss.backward()
                scope.step(loss)
                optimizer.step()
            scope.epoch(dev_score=0.25 * epoch, dev_loss=1.0)
        with pytest.raises(TypeError, match="dev_loss"):
            scope.epoch(accuracy=1.0)
    epochs = lines(tmp_path / "run.jsonl", "epoch")
    found = [(e["epoch"], e["step"], e["dev_score"]) for e in epochs]
    assert found == [(0, 0, 0.0), (1, 13, 0.25), (2, 20, 0.5), (3, 27, 0.75)]
    end = lines(tmp_path / "run.jsonl", "end")[0]
    assert (end["epochs_done"], end["steps_done"], end["outcome"]) == (4, 28, "finished")


def test_a_long_record_stays_short_and_its_last_capture_whole(tmp_path):
    model = nn.Linear(4, 3)
    data = batches(10) * 70
    record(model, tmp_path / "run.jsonl", data, every=1, epochs=700)
    epochs, steps = (lines(tmp_path / "run.jsonl", kind) for kind in ("epoch", "step"))
    assert len(epochs) < 400 and epochs[-1]["epoch"] == 699
    assert sum(s["steps"] for s in steps) == 700 and len(steps) < 700
    assert "values" in epochs[-1]["layers"][0]["update"] and "values" not in epochs[-2]["layers"][0]["update"]


def test_the_model_is_left_as_it_was(tmp_path):
    model = Everything()
    state = {k: v.clone() for k, v in model.state_dict().items()}
    scope = recorder.watch(model, tmp_path / "run.jsonl")
    scope.close()
    assert all(torch.equal(v, state[k]) for k, v in model.state_dict().items())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_recording_changes_no_bit_of_the_training(tmp_path):
    torch.manual_seed(5)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(inplace=True), nn.Dropout(0.5), nn.Linear(8, 3))
    plain, data = copy.deepcopy(model), batches(20)
    torch.manual_seed(6)
    record(model, tmp_path / "run.jsonl", data, every=3)
    torch.manual_seed(6)
    optimizer = optim.SGD(plain.parameters(), lr=0.1)
    for x, y in data:
        optimizer.zero_grad()
        F.cross_entropy(plain(x), y).backward()
        optimizer.step()
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), plain.parameters()))


def test_of_a_compiled_model_activations_are_said_to_be_missing(tmp_path):
    if not hasattr(torch, "compile"):
        # What torch.compile makes, as far as it matters: a module around the model.
        class Compiled(nn.Module):
            def __init__(self, inner):
                super().__init__()
                self._orig_mod = inner

            def forward(self, x):
                return self._orig_mod(x)

        compiled = Compiled(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)))
    else:
        compiled = torch.compile(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)), backend="eager")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = record(compiled, tmp_path / "run.jsonl", batches(6), every=2)
    assert found[0]["run"]["capture"] == "activations=off"
    assert [layer["name"] for layer in found[0]["layers"]] == ["0", "2"]
    epoch = lines(tmp_path / "run.jsonl", "epoch")[-1]
    assert epoch["layers"][0]["update"]["l1"] > 0 and "activations" not in epoch["layers"][0]

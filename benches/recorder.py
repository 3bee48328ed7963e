"""What recording a PyTorch training costs: steps with and without it in pairs, and beside TensorBoard.

    python benches/recorder.py [PAIRS]

An MLP of about a million parameters on the processor, Adam, batches of 128: 512 of them in turn, of classes
that cannot be told for certain, since a network that knows everything has gradients like none that trains. A
pair is a stretch of steps without anything and one with the recorder (or with `add_histogram` of every weight
and gradient at the same points), of one and the same training: where its memory lies makes 5% of a difference.
Printed are the quartiles over pairs of how much longer the latter took, in seconds of the processor on one
thread: what else runs on the machine then matters less. Beside them stands the same of the shortest stretches.
"""

import contextlib
import functools
import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parent.parent / "python"))
import gradscope  # noqa: E402

try:
    from torch.utils.tensorboard import SummaryWriter
except ImportError:
    SummaryWriter = None

PAIRS = int(sys.argv[1]) if len(sys.argv) > 1 else 15
torch.set_num_threads(1)
INPUTS, CLASSES, BATCH, BATCHES = 256, 10, 128, 512


class Training:
    """A network with an optimizer and a batch."""

    def __init__(self):
        torch.manual_seed(0)
        widths = [INPUTS, 700, 700, 400, CLASSES]
        parts = []
        for a, b in zip(widths, widths[1:]):
            parts += [nn.Linear(a, b), nn.ReLU()]
        self.model = nn.Sequential(*parts[:-1])
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-3)
        self.x = torch.randn(BATCHES, BATCH, INPUTS)
        logits = self.x @ torch.randn(INPUTS, CLASSES)
        self.y = (logits + 0.5 * logits.std() * torch.randn_like(logits)).argmax(2)
        self.done = 0

    def steps(self, count, after=lambda step, loss: None):
        began = time.process_time()
        for step in range(count):
            batch = self.done % BATCHES
            self.done += 1
            self.optimizer.zero_grad()
            loss = nn.functional.cross_entropy(self.model(self.x[batch]), self.y[batch])
            loss.backward()
            after(step, loss)
            self.optimizer.step()
        return time.process_time() - began


def paired(count, watched):
    """Quartiles over pairs of the time with it over that without, less 1; the same of the shortest of each, which
    were disturbed least; and the shortest time of a step without. The order alternates."""
    training = Training()
    training.steps(20)
    plain, others, ratios = [], [], []
    for pair in range(PAIRS):
        for with_it in (pair % 2 == 0, pair % 2 == 1):
            if with_it:
                with watched(training, pair) as after:
                    training.steps(max(count, 5), after)
                    other = training.steps(count, after)
            else:
                plain.append(training.steps(count))
        others.append(other)
        ratios.append(other / plain[-1] - 1)
    return statistics.quantiles(ratios, n=4), min(others) / min(plain) - 1, min(plain) / count


@contextlib.contextmanager
def recorder(every, folder, training, pair):
    path = folder / f"{every}-{pair}.jsonl"
    with gradscope.watch(training.model, path, every=every, optimizer=training.optimizer) as scope:
        yield lambda step, loss: scope.step(loss)


@contextlib.contextmanager
def tensorboard(every, folder, training, pair):
    with SummaryWriter(str(folder / f"tensorboard{every}-{pair}")) as writer:

        def after(step, loss):
            if step % every == 0:
                writer.add_scalar("loss", loss, step)
                for name, parameter in training.model.named_parameters():
                    writer.add_histogram(name, parameter, step)
                    writer.add_histogram(f"{name}.grad", parameter.grad, step)

        yield after


def main():
    parameters = sum(p.numel() for p in Training().model.parameters())
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {parameters:,} parameters, batch {BATCH}")
    if SummaryWriter is None:
        print("tensorboard is not installed: add_histogram is not measured")
    with tempfile.TemporaryDirectory() as folder:
        for every, count in ((100, 100), (1, 10)):
            for name, watched in (("recorder", recorder), ("add_histogram", tensorboard)):
                if watched is tensorboard and SummaryWriter is None:
                    continue
                shares, least, step = paired(count, functools.partial(watched, every, Path(folder)))
                low, median, high, least = (f"{100 * share:+.1f}%" for share in (*shares, least))
                spread = f"{median:>9} ({low} to {high}), of the shortest {least}"
                print(f"every {every:>3} steps  {name:<14} {spread}, a step of {1000 * step:.1f} ms", flush=True)


if __name__ == "__main__":
    main()

"""What recording a PyTorch training costs: steps with and without it in pairs, and beside TensorBoard.

    python benches/recorder.py [PAIRS]

An MLP of about a million parameters on the processor, batches of 128, Adam. A pair is a stretch of steps
without anything and one with the recorder (or with `add_histogram` of every weight and gradient at the
same points); printed is the median over pairs of how much longer the latter took, in seconds of the
processor on one thread: what else runs on the machine then hardly matters.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parent.parent / "python"))
import gradscope  # noqa: E402

PAIRS = int(sys.argv[1]) if len(sys.argv) > 1 else 15
torch.set_num_threads(1)
INPUTS, CLASSES, BATCH = 256, 10, 128


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
        self.x, self.y = torch.randn(BATCH, INPUTS), torch.randint(0, CLASSES, (BATCH,))

    def steps(self, count, after=lambda step, loss: None):
        began = time.process_time()
        for step in range(count):
            self.optimizer.zero_grad()
            loss = nn.functional.cross_entropy(self.model(self.x), self.y)
            loss.backward()
            after(step, loss)
            self.optimizer.step()
        return time.process_time() - began


def paired(count, with_it):
    """Median over pairs of the time with it over that without, less 1; the order alternates."""
    plain = Training()
    plain.steps(20)
    ratios = []
    for pair in range(PAIRS):
        first = plain.steps(count) if pair % 2 == 0 else None
        other = with_it(count)
        ratios.append(other / (first or plain.steps(count)) - 1)
    return statistics.median(ratios), plain.steps(count) / count


def recorder(every, folder):
    training = Training()
    scope = gradscope.watch(training.model, folder / f"{every}.jsonl", every=every, optimizer=training.optimizer)
    after = lambda step, loss: scope.step(loss)  # noqa: E731
    training.steps(max(every, 5), after)
    return (lambda count: training.steps(count, after)), scope


def tensorboard(every, folder):
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    training, writer = Training(), SummaryWriter(str(folder / f"tensorboard{every}"))

    def after(step, loss):
        if step % every == 0:
            writer.add_scalar("loss", loss, step)
            for name, parameter in training.model.named_parameters():
                writer.add_histogram(name, parameter, step)
                writer.add_histogram(f"{name}.grad", parameter.grad, step)

    training.steps(5, after)
    return lambda count: training.steps(count, after)


def main():
    parameters = sum(p.numel() for p in Training().model.parameters())
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {parameters:,} parameters, batch {BATCH}")
    with tempfile.TemporaryDirectory() as folder:
        for every, count in ((100, 100), (1, 10)):
            measured, scope = recorder(every, Path(folder))
            share, step = paired(count, measured)
            scope.close()
            print(f"every {every:>3} steps  recorder        {100 * share:+7.1f}% a step of {1000 * step:.1f} ms")
            beside = tensorboard(every, Path(folder))
            if beside is None:
                print("                 add_histogram   not measured: tensorboard is not installed")
                continue
            share, step = paired(count, beside)
            print(f"every {every:>3} steps  add_histogram   {100 * share:+7.1f}% a step of {1000 * step:.1f} ms")


if __name__ == "__main__":
    main()

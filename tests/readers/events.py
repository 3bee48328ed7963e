"""Everything that TensorBoard finds in a directory, as JSON: tag -> [[step, value or buckets]]."""

import json
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util import tensor_util

sizes = {kind: 0 for kind in ("scalars", "histograms", "tensors")}
found = EventAccumulator(sys.argv[1], size_guidance=sizes)
found.Reload()
tags = found.Tags()
read = {tag: [[e.step, e.value] for e in found.Scalars(tag)] for tag in tags["scalars"]}
for tag in tags["histograms"]:
    read[tag] = [[e.step, list(e.histogram_value.bucket)] for e in found.Histograms(tag)]
for tag in tags["tensors"]:
    tensors = [(e.step, tensor_util.make_ndarray(e.tensor_proto)) for e in found.Tensors(tag)]
    # Of a bucket: lower end, upper end, count.
    read[tag] = [[step, t[:, 2].tolist() if t.ndim == 2 else t.item()] for step, t in tensors]
json.dump(read, sys.stdout)

"""Constants that the recorder shares with the program.

Generated from the program's own by `make update`: not edited by hand.
"""

#: Version of the program, and of this package.
VERSION = "0.1.0"

#: Format of a record.
SCHEMA = "gradscope.record/1"

#: Points of the step curves after which one stands for twice as many steps: at least, and at most.
POINTS_PER_STRIDE = (64, 500)

#: Norms of layers, in points of one stride, that bound the points of large networks.
LAYER_POINTS = 20_000

#: Captured epochs after which the distance between them doubles: at least, and at most.
EPOCHS_PER_STRIDE = (16, 128)

#: The same of layers, that bound the captures of large networks.
LAYER_EPOCHS = 25_600

#: Captures that are kept in full before the last, at most.
MAX_IN_FULL = 200

#: Captures that are kept in full, times the square of the layers.
IN_FULL = 20_000

#: Digits of norms.
NORM_DIGITS = 7

#: Digits of moments in a history.
MOMENT_DIGITS = 8

#: Parts of a whole in which a history keeps activation frequencies.
FREQUENCY_STEPS = 256

#: Values of a tensor that are all kept, at most.
EXACT_CAPACITY = 1_024

#: Values of a larger tensor that are kept beside its bins.
SAMPLE_CAPACITY = 256

#: Bits of a float32 that a bin ignores.
BIN_SHIFT = 19

#: Bins of a table: one for each sign, exponent and upper part of a mantissa.
BIN_TABLE_LENGTH = 8_192

#: Index of the bin that all subnormal numbers share.
SUBNORMAL_BIN = 15

#: Largest index of a finite number's bin.
MAX_BIN = 4079

#: Probabilities of the quantiles that a history keeps.
PROBABILITIES = (
    0.01,
    0.05,
    0.1,
    0.15,
    0.2,
    0.25,
    0.3,
    0.35,
    0.4,
    0.45,
    0.5,
    0.55,
    0.6,
    0.65,
    0.7,
    0.75,
    0.8,
    0.85,
    0.9,
    0.95,
    0.99,
)

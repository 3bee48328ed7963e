//! Images as MNIST and Fashion-MNIST come: four IDX files in a directory, plain or gzip.
//!
//! The `t10k` files are the test set; training and dev rows are of the `train` files. Nothing about the
//! number of classes, images or pixels is presumed: the files say it, and are checked against one
//! another before the images are read.

mod file;
mod pair;

pub(super) use pair::KIND;

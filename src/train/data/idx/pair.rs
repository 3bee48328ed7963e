//! Images and their labels: a pair of files.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tch::{Kind, Tensor};

use super::file::{Content, IdxFile};
use crate::train::TrainError;
use crate::train::data::dataset::Table;
use crate::train::data::kind::{self, DataKind, DataOptions, Source};

/// The brightest pixel.
const WHITE: f64 = 255.0;

pub static KIND: DataKind = DataKind {
    name: "idx",
    form: "idx:DIR",
    about: "images as MNIST's four files, plain or .gz; the t10k files are the test set",
    samples: None,
    noise: None,
    // Of the training files, and of the test files.
    split: [0.8, 0.2, 1.0],
    flags: &["--no-shuffle-split"],
    parse: |argument| Ok(Arc::new(Idx(kind::path(argument)?))),
};

#[derive(Debug)]
struct Idx(PathBuf);

impl Source for Idx {
    fn load(&self, _: &DataOptions, _: i64) -> Result<Table, TrainError> {
        let mut train = Pair::open(&self.0, "train")?;
        let mut test = Pair::open(&self.0, "t10k")?;
        let [height, width] = train.sides();
        if test.sides() != [height, width] {
            let [h, w] = test.sides();
            return Err(test.images.fault(
                "header",
                format!(
                    "images of {h}x{w}, but {} has images of {height}x{width}",
                    train.images.path.display()
                ),
            ));
        }
        let [train_rows, own_test] = [&train, &test].map(|pair| pair.labels.sizes[0]);
        let mut labels = Vec::new();
        train.labels.read(&mut labels)?;
        test.labels.read(&mut labels)?;
        let (known, held_out) = labels.split_at(train_rows as usize);
        let classes = classes(known, held_out).map_err(|stray| {
            let (path, index) = match stray.index.checked_sub(known.len()) {
                None => (&train.labels.path, stray.index),
                Some(index) => (&test.labels.path, index),
            };
            TrainError::DataPlace {
                path: path.clone(),
                place: format!("label {index} (counted from 0)"),
                reason: stray.reason,
            }
        })?;
        let mut pixels = Vec::new();
        train.images.read(&mut pixels)?;
        test.images.read(&mut pixels)?;
        let x = Tensor::from_slice(&pixels).to_kind(Kind::Float).g_div_scalar_(WHITE);
        let y = Tensor::from_slice(&labels).to_kind(Kind::Int64) - i64::from(*classes.start());
        Ok(Table {
            x: x.view([(train_rows + own_test) as i64, height * width]),
            y,
            columns: Vec::new(),
            classes: classes.map(|class| class.to_string()).collect(),
            image: Some([1, height, width]),
            own_test,
            shuffled: false,
        })
    }
}

/// Images and their labels, both open and of one length.
struct Pair {
    images: IdxFile,
    labels: IdxFile,
}

impl Pair {
    fn open(directory: &Path, stem: &str) -> Result<Self, TrainError> {
        let images = IdxFile::open(find(directory, stem, Content::Images)?, Content::Images)?;
        let labels = IdxFile::open(find(directory, stem, Content::Labels)?, Content::Labels)?;
        if images.sizes[0] != labels.sizes[0] {
            return Err(labels.fault(
                "header",
                format!(
                    "{} labels, but {} holds {} images",
                    labels.sizes[0],
                    images.path.display(),
                    images.sizes[0]
                ),
            ));
        }
        Ok(Self { images, labels })
    }

    /// Height and width of an image.
    fn sides(&self) -> [i64; 2] {
        [self.images.sizes[1], self.images.sizes[2]].map(|side| side as i64)
    }
}

/// The file of this content, in whichever spelling it is there; the unpacked one first.
fn find(directory: &Path, stem: &str, content: Content) -> Result<PathBuf, TrainError> {
    let usual = format!("{stem}-{}-idx{}-ubyte", content.name(), content.sizes());
    let dotted = format!("{stem}-{}.idx{}-ubyte", content.name(), content.sizes());
    let spellings = [usual.clone(), dotted.clone(), format!("{usual}.gz"), format!("{dotted}.gz")];
    if let Some(path) = spellings.iter().map(|name| directory.join(name)).find(|path| path.exists()) {
        return Ok(path);
    }
    // That the directory is not there or cannot be read says more.
    std::fs::read_dir(directory).map_err(|source| TrainError::ReadData { path: directory.into(), source })?;
    Err(TrainError::Data(format!(
        "{} holds no {usual}, nor {usual}.gz or {dotted}; idx:DIR needs images and labels of train and of t10k",
        directory.display()
    )))
}

/// A label that is no class.
#[derive(Debug, PartialEq)]
struct Stray {
    /// Where, in the labels of training and test one after the other.
    index: usize,
    reason: String,
}

/// The classes of the training labels. IDX does not name them, so they are what a damaged byte hardly
/// ever is: a run of numbers from 0 (or 1, as in EMNIST's letters) without a gap, the last of which
/// occurs more than once.
fn classes(train: &[u8], test: &[u8]) -> Result<RangeInclusive<u8>, Stray> {
    let mut counts = [0u64; 256];
    train.iter().for_each(|label| counts[usize::from(*label)] += 1);
    let first = usize::from(counts[0] == 0);
    let run = counts[first..].iter().take_while(|count| **count > 0).count();
    if run == 0 {
        let smallest = train.iter().min().copied().unwrap_or_default();
        let index = train.iter().position(|label| *label == smallest).unwrap_or_default();
        let reason = format!("classes are counted from 0 or from 1, but the smallest label is {smallest}");
        return Err(Stray { index, reason });
    }
    let mut last = first + run - 1;
    let once = counts[last] == 1 && !test.iter().any(|label| usize::from(*label) == last);
    if once && run > 1 {
        last -= 1;
    }
    match train.iter().chain(test).position(|label: &u8| !(first..=last).contains(&usize::from(*label))) {
        // Both ends are below 256, as they index the counts.
        None => Ok(first as u8..=last as u8),
        Some(index) => {
            let label = train.iter().chain(test).nth(index).copied().unwrap_or_default();
            let why = match usize::from(label) {
                _ if index >= train.len() => "as the training labels do".into(),
                l if l == last + 1 => format!("and {label} occurs this once only"),
                _ => format!("and no training label is {}", last + 1),
            };
            Err(Stray {
                index,
                reason: format!("{label} is outside the classes: they go from {first} to {last}, {why}"),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(train: &[u8], test: &[u8]) -> Result<RangeInclusive<u8>, (usize, String)> {
        classes(train, test).map_err(|stray| (stray.index, stray.reason))
    }

    #[test]
    fn classes_are_a_run_of_numbers_from_0_or_1() {
        assert_eq!(found(&[0, 1, 2, 2, 1, 0], &[2, 0]), Ok(0..=2));
        assert_eq!(found(&[2, 1, 3, 3], &[1]), Ok(1..=3));
        assert_eq!(found(&[0, 0], &[0]), Ok(0..=0));
        // A last class of one image is one where the test set has it as well.
        assert_eq!(found(&[0, 0, 1, 2], &[2]), Ok(0..=2));
        assert_eq!(found(&(0..=255).collect::<Vec<u8>>(), &[255]), Ok(0..=255));
    }

    #[test]
    fn a_label_outside_the_classes_is_found_in_either_file() {
        let train = [0, 1, 2, 3, 0, 1, 2, 3];
        for (stray, says) in [(4, "this once"), (5, "no training label is 4"), (200, "200"), (255, "255")] {
            let mut damaged = train.to_vec();
            damaged.insert(5, stray);
            let (index, reason) = found(&damaged, &[0, 3]).unwrap_err();
            assert!(index == 5 && reason.contains("from 0 to 3") && reason.contains(says), "{reason}");
        }
        let (index, reason) = found(&train, &[0, 4]).unwrap_err();
        assert!(index == 9 && reason.contains("4 is outside the classes"), "{reason}");
        let (index, reason) = found(&[7, 3, 7], &[3]).unwrap_err();
        assert!(index == 1 && reason.contains("smallest label is 3"), "{reason}");
    }
}

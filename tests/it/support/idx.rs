//! A small data set in MNIST's format: strokes of four directions, 8x8, the same on every machine.

use std::io::Write;
use std::path::Path;

use flate2::{Compression, write::GzEncoder};

pub const SIDE: usize = 8;
pub const CLASSES: u8 = 4;
pub const TRAIN: usize = 300;
pub const TEST: usize = 60;

/// One of the four files, under its plain usual name.
pub struct File {
    pub name: &'static str,
    pub bytes: Vec<u8>,
}

/// The four files, as MNIST names them.
pub fn files() -> Vec<File> {
    let mut random = Random(1);
    let mut files = Vec::new();
    for (names, count) in [
        (["train-images-idx3-ubyte", "train-labels-idx1-ubyte"], TRAIN),
        (["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"], TEST),
    ] {
        let labels: Vec<u8> = (0..count).map(|i| (i % usize::from(CLASSES)) as u8).collect();
        let images: Vec<u8> = labels.iter().flat_map(|label| image(*label, &mut random)).collect();
        let [n, side] = [count, SIDE].map(|v| v as u32);
        for (name, bytes) in names.into_iter().zip([idx(&[n, side, side], &images), idx(&[n], &labels)]) {
            files.push(File { name, bytes });
        }
    }
    files
}

/// An IDX file of bytes.
pub fn idx(sizes: &[u32], data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, sizes.len() as u8];
    bytes.extend(sizes.iter().flat_map(|size| size.to_be_bytes()));
    bytes.extend(data);
    bytes
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("memory is written to");
    encoder.finish().expect("memory is written to")
}

/// Writes the four files into a directory of this name, each as `change` has it: file name and bytes.
pub fn write(directory: &Path, change: impl Fn(File) -> (String, Vec<u8>)) {
    std::fs::create_dir_all(directory).expect("a directory");
    for file in files() {
        let (name, bytes) = change(file);
        std::fs::write(directory.join(name), bytes).expect("a file");
    }
}

/// A stroke (level, upright, falling, rising) of some brightness, shifted, on a background of specks.
fn image(label: u8, random: &mut Random) -> Vec<u8> {
    let shift = random.below(4) as usize + 2;
    let ink = 160 + random.below(96) as u8;
    let mut pixels = vec![0; SIDE * SIDE];
    for i in 0..SIDE {
        let (row, column) = match label {
            0 => (shift, i),
            1 => (i, shift),
            2 => (i, (i + shift + 4) % SIDE),
            _ => (i, (2 * SIDE - i - shift) % SIDE),
        };
        pixels[row * SIDE + column] = ink;
    }
    for _ in 0..6 {
        pixels[random.below(64) as usize] = random.below(256) as u8;
    }
    pixels
}

/// Knuth's linear congruential generator.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

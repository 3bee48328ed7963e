//! `.npy` and `.npz`: arrays as NumPy writes them.

use std::io::{self, Read};

use super::CheckpointError;
use super::archive::Archive;
use super::content::Content;
use super::dtype::Dtype;
use super::place::{Place, Source};
use super::tensor::Tensor;

/// How every `.npy` begins.
pub const MAGIC: &[u8] = b"\x93NUMPY";
/// Longest header: structured arrays aside, NumPy writes some hundred bytes.
const LONGEST_HEADER: usize = 1 << 16;
/// Dimensions of an array, at most (NumPy's own limit).
const MAX_DIMENSIONS: usize = 64;

/// The arrays of an archive; of other files in it nothing is read.
pub fn read_archive(source: &Source) -> Result<Content, CheckpointError> {
    let archive = Archive::open(source)?;
    let mut content = Content::default();
    for (name, file) in archive.names().filter_map(|n| Some((n.strip_suffix(".npy")?, n))) {
        if let Some(place) = archive.get(file) {
            add(&mut content, name, place.clone())?;
        }
    }
    if content.names().next().is_none() {
        return Err(CheckpointError::invalid(
            &source.path,
            "it is a zip archive without arrays (.npy) in it",
        ));
    }
    Ok(content)
}

/// The one array of a `.npy`, under the name of the file.
pub fn read_array(source: &Source) -> Result<Content, CheckpointError> {
    let name = source.path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let length = source.length;
    let place = Place { source: source.clone(), offset: 0, stored: length, length, deflated: false };
    let mut content = Content::default();
    add(&mut content, &name, place)?;
    Ok(content)
}

fn add(content: &mut Content, name: &str, place: Place) -> Result<(), CheckpointError> {
    let path = place.source.path.clone();
    let invalid = CheckpointError::in_file(&path);
    let cut = |e: io::Error| invalid(format!("the array {name:?} is cut short or damaged: {e}"));
    let mut reader = place.reader(0).map_err(cut)?;
    let mut start = [0; 8];
    reader.read_exact(&mut start).map_err(cut)?;
    if !start.starts_with(MAGIC) {
        return Err(invalid(format!("{name:?} is no NumPy array: it does not begin as one")));
    }
    let mut length = [0; 4];
    let width = if start[6] == 1 { 2 } else { 4 };
    reader.read_exact(&mut length[..width]).map_err(cut)?;
    let length = u32::from_le_bytes(length) as usize;
    if length > LONGEST_HEADER {
        return Err(invalid(format!("the array {name:?} has a header of {length} bytes: none is so long")));
    }
    let mut header = vec![0; length];
    reader.read_exact(&mut header).map_err(cut)?;
    let header = String::from_utf8_lossy(&header).into_owned();
    let Some(Header { descr, fortran, shape }) = parse(&header) else {
        return Err(invalid(format!("the header of the array {name:?} cannot be read: {}", header.trim())));
    };
    if descr.contains('O') {
        return Err(invalid(format!(
            "the array {name:?} holds pickled Python objects, which are not opened: save numbers, with \
             np.savez(…, allow_pickle=False)"
        )));
    }
    let (dtype, big_endian) = match descr.as_bytes() {
        [order @ (b'<' | b'>' | b'='), kind @ ..] => (float(kind), *order == b'>'),
        _ => (None, false),
    };
    let Some(dtype) = dtype else {
        content.leave_out(name.to_owned(), descr);
        return Ok(());
    };
    let first = (start.len() + width + length) as u64;
    let strides = fortran.then(|| {
        let lengths = shape.iter().scan(1u64, |n, d| Some(std::mem::replace(n, n.saturating_mul(*d))));
        lengths.collect()
    });
    let tensor = Tensor { name: name.to_owned(), shape, dtype, big_endian, place, first, strides };
    content.tensors.push(tensor.checked().map_err(invalid)?);
    Ok(())
}

fn float(kind: &[u8]) -> Option<Dtype> {
    match kind {
        b"f8" => Some(Dtype::F64),
        b"f4" => Some(Dtype::F32),
        b"f2" => Some(Dtype::F16),
        _ => None,
    }
}

#[derive(Debug, PartialEq)]
struct Header {
    /// Of structured arrays, the list of their fields.
    descr: String,
    fortran: bool,
    shape: Vec<u64>,
}

/// `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`, the only form that NumPy writes.
fn parse(text: &str) -> Option<Header> {
    let descr = value(text, "descr")?;
    let descr = match descr.strip_prefix('\'') {
        Some(quoted) => quoted.split_once('\'')?.0,
        None => descr.strip_prefix('[')?.split_once(']')?.0,
    };
    let fortran = match value(text, "fortran_order")? {
        v if v.starts_with("False") => false,
        v if v.starts_with("True") => true,
        _ => return None,
    };
    let shape = value(text, "shape")?.strip_prefix('(')?.split_once(')')?.0;
    let shape: Option<Vec<u64>> =
        shape.split(',').map(str::trim).filter(|d| !d.is_empty()).map(|d| d.parse().ok()).collect();
    let shape = shape.filter(|s| s.len() <= MAX_DIMENSIONS)?;
    Some(Header { descr: descr.to_owned(), fortran, shape })
}

/// The text after a key of the header.
fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    Some(text.split_once(&format!("'{key}':"))?.1.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(text: &str) -> Option<(String, bool, Vec<u64>)> {
        parse(text).map(|h| (h.descr, h.fortran, h.shape))
    }

    #[test]
    fn headers_are_read_as_numpy_writes_them() {
        let plain = header("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }   \n");
        assert_eq!(plain, Some(("<f4".into(), false, vec![3, 4])));
        let scalar = header("{'descr': '>f8', 'fortran_order': True, 'shape': (), }");
        assert_eq!(scalar, Some((">f8".into(), true, vec![])));
        let fields = header("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }");
        assert_eq!(fields, Some(("('a', '<f4')".into(), false, vec![1])));
        for bad in ["", "{}", "{'descr': '<f4', 'fortran_order': False, 'shape': (-3,), }"] {
            assert_eq!(header(bad), None, "{bad}");
        }
    }
}

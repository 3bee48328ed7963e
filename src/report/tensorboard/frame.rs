//! TFRecord: a length, its checksum, the bytes, their checksum.
//! <https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details>

use std::io::{self, Write};

use prost::Message;

/// The number that TensorFlow adds to a rotated checksum, so that one of data that hold checksums stays one.
const MASK: u32 = 0xa282_ead8;

/// Writes a message in its frame.
pub fn write(out: &mut dyn Write, message: &impl Message) -> io::Result<()> {
    let bytes = message.encode_to_vec();
    let length = (bytes.len() as u64).to_le_bytes();
    out.write_all(&length)?;
    out.write_all(&masked(&length).to_le_bytes())?;
    out.write_all(&bytes)?;
    out.write_all(&masked(&bytes).to_le_bytes())
}

fn masked(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(MASK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_castagnolis() {
        // The check value of CRC-32C in the RFC 3720 catalogue.
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(masked(b"123456789"), 0xe306_9283u32.rotate_right(15).wrapping_add(MASK));
    }
}

//! Compact text for what a record holds many of: bins and samples, as base64 of small binary forms.
//! A reader takes nothing on trust: every function here says what is wrong with its input.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::bins;

/// Little-endian float32 values as base64, for use with `#[serde(with = "packed_floats")]`.
pub mod floats {
    use super::*;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Writes the values as one base64 string.
    pub fn serialize<S: Serializer>(values: &[f32], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&encode(values))
    }

    /// Reads what [`serialize`] wrote.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f32>, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        decode(&text).map_err(D::Error::custom)
    }

    pub(crate) fn encode(values: &[f32]) -> String {
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        STANDARD_NO_PAD.encode(bytes)
    }

    pub(crate) fn decode(text: &str) -> Result<Vec<f32>, String> {
        let bytes = STANDARD_NO_PAD.decode(text).map_err(|e| format!("packed values: {e}"))?;
        if bytes.len() % 4 != 0 {
            return Err(format!("packed values: {} bytes are no whole number of float32", bytes.len()));
        }
        let (words, _) = bytes.as_chunks::<4>();
        Ok(words.iter().map(|w| f32::from_le_bytes(*w)).collect())
    }
}

/// Bytes as base64, for use with `#[serde(with = "packed_bytes")]`.
pub mod bytes {
    use super::*;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Writes the bytes as one base64 string.
    pub fn serialize<S: Serializer>(values: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD_NO_PAD.encode(values))
    }

    /// Reads what [`serialize`] wrote.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        STANDARD_NO_PAD.decode(text.as_ref()).map_err(|e| D::Error::custom(format!("packed bytes: {e}")))
    }
}

/// Bytes as base64.
pub fn encode(bytes: &[u8]) -> String {
    STANDARD_NO_PAD.encode(bytes)
}

/// Reads what [`encode`] wrote; `what` it is, for the message.
pub fn decode(text: &str, what: &str) -> Result<Vec<u8>, String> {
    STANDARD_NO_PAD.decode(text).map_err(|e| format!("{what}: {e}"))
}

/// Bins as base64 of (index step, count) pairs of variable-length integers.
pub fn encode_bins(bins: &[(i16, u64)]) -> String {
    let mut bytes = Vec::with_capacity(bins.len() * 2);
    let mut previous = -i64::from(bins::MAX_BIN) - 1;
    for &(index, count) in bins {
        push_varint(&mut bytes, (i64::from(index) - previous) as u64);
        push_varint(&mut bytes, count);
        previous = i64::from(index);
    }
    STANDARD_NO_PAD.encode(bytes)
}

/// Reads what [`encode_bins`] wrote; refuses unordered, empty or impossible bins.
pub fn decode_bins(text: &str) -> Result<Vec<(i16, u64)>, String> {
    let bytes = STANDARD_NO_PAD.decode(text).map_err(|e| format!("bins: {e}"))?;
    let mut rest = bytes.as_slice();
    let mut bins = Vec::new();
    let mut previous = -i64::from(bins::MAX_BIN) - 1;
    while !rest.is_empty() {
        let step = pop_varint(&mut rest).ok_or("bins: cut short")?;
        let count = pop_varint(&mut rest).ok_or("bins: cut short")?;
        let index = i64::try_from(step).ok().and_then(|s| previous.checked_add(s));
        match index {
            Some(i) if step > 0 && count > 0 && bins::is_valid(i) => {
                bins.push((i as i16, count));
                previous = i;
            }
            _ => return Err("bins: not in order, empty or out of range".into()),
        }
    }
    Ok(bins)
}

fn push_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn pop_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_survive_a_round_trip() {
        let bins = vec![(-4079, 1), (-15, u64::MAX), (15, 127), (16, 128), (4079, 3)];
        assert_eq!(decode_bins(&encode_bins(&bins)).unwrap(), bins);
    }

    #[test]
    fn hostile_bins_are_refused() {
        for text in ["!", "gA", "AAE", "AQ", "AQA", "////////////////////AQE"] {
            assert!(decode_bins(text).is_err(), "{text}");
        }
    }

    #[test]
    fn floats_survive_a_round_trip_bit_for_bit() {
        let values = [0.0, -1.5e-40, 3e38, f32::INFINITY];
        assert_eq!(floats::decode(&floats::encode(&values)).unwrap(), values);
        assert!(floats::decode("AAA").is_err());
    }
}

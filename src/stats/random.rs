//! A small generator for the sample that rides along with a distribution. Seeded from the data, so
//! that the same tensor always gives the same sample.

/// SplitMix64 (Steele, Lea and Flood, 2014): one multiply-xorshift chain a draw.
pub struct SplitMix64(u64);

impl SplitMix64 {
    /// A generator whose stream depends on every one of `parts`.
    pub fn new(parts: &[u64]) -> Self {
        let mut generator = Self(0x6a09_e667_f3bc_c908);
        for part in parts {
            generator.0 ^= part;
            generator.0 = generator.next();
        }
        generator
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A whole number in 0..n, for n ≥ 1 (multiply-shift; the bias is below n / 2⁶⁴).
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(n)) >> 64) as u64
    }
}

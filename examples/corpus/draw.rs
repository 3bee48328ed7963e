//! What a kind draws its runs with: random numbers that depend on kind, half and seed alone, and sizes
//! that the two halves do not share.

/// Which half of the corpus a run belongs to: thresholds may be tuned on the first, verdicts are counted
/// on the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Half {
    Calibration,
    Scoring,
}

impl Half {
    pub const BOTH: [Half; 2] = [Half::Calibration, Half::Scoring];

    pub fn name(self) -> &'static str {
        match self {
            Half::Calibration => "calibration",
            Half::Scoring => "scoring",
        }
    }
}

/// The draws of one run.
pub struct Draw {
    state: u64,
    half: Half,
    /// Seed of the program: even numbers calibrate, odd ones score.
    pub seed: u64,
}

impl Draw {
    /// The draws of the `index`-th run of a kind in this half.
    pub fn new(kind: &str, half: Half, index: u64) -> Self {
        let seed = 2 * index + u64::from(half == Half::Scoring);
        // FNV-1a: another kind draws other numbers for the same seed.
        let name = kind.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self { state: name ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15), half, seed }
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform between 0 and 1.
    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform.
    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.share()
    }

    /// Uniform in the logarithm, with two digits, as a person writes it.
    pub fn log(&mut self, low: f64, high: f64) -> f64 {
        let value = self.uniform(low.ln(), high.ln()).exp();
        format!("{value:.1e}").parse().expect("a number that was just written")
    }

    /// Standard normal (Box and Muller).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.share()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.share()).cos()
    }

    /// One of these.
    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[(self.next() % of.len() as u64) as usize]
    }

    /// A number from `low` to `high` of those that this half has: even ones calibrate, odd ones score.
    pub fn depth(&mut self, low: u64, high: u64) -> u64 {
        let mine = u64::from(self.half == Half::Scoring);
        let all: Vec<u64> = (low..=high).filter(|n| n % 2 == mine).collect();
        self.pick(&all)
    }

    /// Units of a layer from `low` to `high`: the multiples of 8 score, those between them calibrate.
    pub fn width(&mut self, low: u64, high: u64) -> u64 {
        let mine = if self.half == Half::Scoring { 0 } else { 4 };
        let all: Vec<u64> = (low..=high).filter(|n| n % 8 == mine).collect();
        self.pick(&all)
    }
}

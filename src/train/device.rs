//! Where training runs, and on how many threads.

use tch::{Cuda, Device};

use super::TrainError;

/// Multiply-adds of one training step below which a second thread costs more than it brings: the
/// teaching networks are as fast on one, and far faster when something else runs.
const WORK_WORTH_A_SECOND_THREAD: u64 = 20_000_000;

/// The device of this name: `auto`, `cpu`, `cuda`, `cuda:N`, `mps`.
///
/// # Errors
/// [`TrainError::Device`] where it is not there, with what is.
pub fn choose(name: &str) -> Result<Device, TrainError> {
    let fail = |reason: String| Err(TrainError::Device(reason));
    match name.split_once(':').unwrap_or((name, "0")) {
        ("auto", "0") if Cuda::is_available() => Ok(Device::Cuda(0)),
        ("auto" | "cpu", "0") => Ok(Device::Cpu),
        ("mps", "0") if tch::utils::has_mps() => Ok(Device::Mps),
        ("mps", "0") => fail("--device mps: this machine has no Apple GPU; use --device cpu".into()),
        ("cuda", number) => match number.parse::<usize>() {
            Err(_) => fail(format!("--device {name}: cuda:N needs the number of a device, such as cuda:0")),
            Ok(_) if !Cuda::is_available() => fail(format!(
                "--device {name}: no CUDA device is available to this build's libtorch; use --device cpu"
            )),
            Ok(n) if n as i64 >= Cuda::device_count() => {
                fail(format!("--device {name}: there are {} CUDA devices", Cuda::device_count()))
            }
            Ok(n) => Ok(Device::Cuda(n)),
        },
        _ => fail(format!("no device is called {name:?}; there are auto, cpu, cuda, cuda:N, mps")),
    }
}

/// All that there are, as `--device` spells them.
pub fn devices() -> Vec<String> {
    let mut all = vec![Device::Cpu];
    all.extend((0..usize::try_from(Cuda::device_count()).unwrap_or(0)).map(Device::Cuda));
    all.extend(tch::utils::has_mps().then_some(Device::Mps));
    all.into_iter().map(name).collect()
}

/// As `--device` spells it.
pub fn name(device: Device) -> String {
    match device {
        Device::Cpu => "cpu".into(),
        Device::Cuda(n) => format!("cuda:{n}"),
        Device::Mps => "mps".into(),
        Device::Vulkan => "vulkan".into(),
    }
}

/// Threads worth their while for steps of this many multiply-adds a row and rows; no more than
/// `OMP_NUM_THREADS`, as everything that computes on OpenMP has it.
pub fn threads_for(work: u64, rows: u64) -> u64 {
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let bound = std::env::var("OMP_NUM_THREADS").ok();
    if work.saturating_mul(rows) < WORK_WORTH_A_SECOND_THREAD { 1 } else { bounded(cores, bound.as_deref()) }
}

/// The variable may list a number for every level of nesting: the first counts here.
fn bounded(cores: u64, bound: Option<&str>) -> u64 {
    let first = bound.and_then(|text| text.split(',').next()?.trim().parse::<u64>().ok());
    first.filter(|n| *n > 0).map_or(cores, |n| n.min(cores))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_is_an_upper_bound_and_nonsense_is_none() {
        let cases = [(None, 8), (Some("3"), 3), (Some("2,4"), 2), (Some("64"), 8), (Some("0"), 8)];
        for (bound, threads) in cases.into_iter().chain([(Some("many"), 8), (Some(""), 8)]) {
            assert_eq!(bounded(8, bound), threads, "{bound:?}");
        }
    }

    #[test]
    fn small_steps_take_one_thread_whatever_the_variable_says() {
        assert_eq!(threads_for(1_000, 64), 1);
    }
}

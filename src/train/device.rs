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

/// As `--device` spells it.
pub fn name(device: Device) -> String {
    match device {
        Device::Cpu => "cpu".into(),
        Device::Cuda(n) => format!("cuda:{n}"),
        Device::Mps => "mps".into(),
        Device::Vulkan => "vulkan".into(),
    }
}

/// Threads worth their while for steps of this many multiply-adds a row and rows.
pub fn threads_for(work: u64, rows: u64) -> u64 {
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    if work.saturating_mul(rows) < WORK_WORTH_A_SECOND_THREAD { 1 } else { cores }
}

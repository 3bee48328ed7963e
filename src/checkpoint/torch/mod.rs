//! `.pt` and `.pth`: what torch.save writes. A pickle beside the numbers says which tensors lie where; it
//! is read as data, and nothing in it is ever run.

mod globals;
mod legacy;
mod machine;
mod state;
mod tensors;
mod value;
mod zipped;

pub use legacy::{is_legacy, read as read_legacy};
pub use zipped::read;
pub use zipped::{Holds, root};

//! Nothing at run time: the build script is the crate.

//! Nothing at run time: see Cargo.toml.

//! The script of every page, and the only one that a page's own policy lets run.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// As it stands in the page.
pub const TEXT: &str = include_str!("../../../templates/report.js");

/// Names it in a content security policy: markup that a stranger had smuggled in would not run.
pub static HASH: LazyLock<String> =
    LazyLock::new(|| format!("sha256-{}", STANDARD.encode(Sha256::digest(TEXT.as_bytes()))));

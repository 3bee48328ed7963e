//! The part of a command line that a record keeps.

use std::ffi::OsString;

/// The command line as a record keeps it: what repeats the run, without where its output goes.
pub fn reproducible(words: impl Iterator<Item = OsString>) -> Vec<String> {
    let mut kept = vec!["gradscope".to_owned()];
    let mut words = words.skip(1).map(|w| w.to_string_lossy().into_owned());
    while let Some(word) = words.next() {
        match word.as_str() {
            "--out" | "--output" | "--baseline" | "--color" => {
                words.next();
            }
            "--force" | "--quiet" | "-q" | "--json" | "--show-config" => {}
            _ if ["--out=", "--output=", "--baseline=", "--color="]
                .iter()
                .any(|flag| word.starts_with(flag)) => {}
            _ => kept.push(word),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kept_command_repeats_the_run_wherever_its_output_went() {
        let words = "/x/gradscope --color never run --model relu5 --bias -8 --out=a --out b --output=csv=c --baseline e --output json=d --force -q --lr 1";
        let kept = reproducible(words.split(' ').map(OsString::from));
        assert_eq!(kept.join(" "), "gradscope run --model relu5 --bias -8 --lr 1");
    }
}

//! Every promise that a process, a file or a page has to keep: one program, a module a promise.

mod browser_support;
mod plot_support;
mod report_support;
mod support;

#[cfg(unix)]
mod action;
#[cfg(feature = "train")]
mod bad_input;
#[cfg(feature = "train")]
mod boundary;
mod browser;
#[cfg(feature = "train")]
mod capture;
mod check;
#[cfg(feature = "train")]
mod compare;
#[cfg(feature = "train")]
mod config;
mod constants;
#[cfg(feature = "train")]
mod corpus;
#[cfg(feature = "train")]
mod datasets;
mod diff;
#[cfg(all(unix, feature = "train"))]
mod docs;
#[cfg(feature = "train")]
mod early_stop;
#[cfg(feature = "train")]
mod experiments;
#[cfg(feature = "train")]
mod gradcheck;
#[cfg(unix)]
mod handover;
mod house;
mod html_valid;
#[cfg(feature = "train")]
mod init_oracle;
mod inspect;
#[cfg(unix)]
mod install;
#[cfg(all(feature = "train", unix))]
mod interrupt;
#[cfg(feature = "train")]
mod invariance;
#[cfg(unix)]
mod libtorch_setup;
mod manual;
mod merge;
#[cfg(feature = "train")]
mod model_file;
#[cfg(feature = "train")]
mod models;
#[cfg(feature = "train")]
mod oracle;
mod output;
#[cfg(feature = "train")]
mod own_loop;
mod plot_figures;
mod plot_gallery;
mod plot_kde;
#[cfg(feature = "train")]
mod prescribe;
mod readers;
mod record_files;
mod record_packed;
mod report_directory;
mod report_html;
mod report_large;
mod report_summary;
#[cfg(all(feature = "train", unix))]
mod resume;
#[cfg(feature = "train")]
mod run;
mod sample;
#[cfg(feature = "train")]
mod save_model;
mod schemas;
#[cfg(feature = "train")]
mod script;
mod script_lint;
mod sources;
mod stats_density;
mod stats_engine;
mod stats_properties;
#[cfg(all(feature = "train", unix))]
mod sweep;
mod sweep_report;
#[cfg(unix)]
mod terminal;
#[cfg(feature = "train")]
mod verdicts;
mod workflow;

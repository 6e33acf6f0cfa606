//! Logging: one set-up for every process, and the names of spans and fields.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::settings::InvalidSetting;

/// Field of the generation a span or a line is about.
pub const GENERATION_ID: &str = "generation.id";
/// Field of the stage.
pub const STAGE: &str = "stage";

/// Starts logging to standard error. `level` is a level (docsfy's upper-case spelling too) or a filter.
pub fn start(level: &str) -> Result<(), InvalidSetting> {
    let level = if level.eq_ignore_ascii_case("warning") { "warn" } else { level };
    let filter = match level.parse::<tracing::Level>() {
        // libraries below a level of their own: their debug lines drown ours
        Ok(level) => {
            let of_libraries = level.min(tracing::Level::INFO).to_string().to_lowercase();
            let ours = level.to_string().to_lowercase();
            let crates = ["docmill", "api", "worker", "sites", "shared"].map(|name| format!("{name}={ours}")).join(",");
            EnvFilter::try_new(format!("{of_libraries},sqlx=warn,apalis=warn,apalis_core=warn,{crates}"))
        }
        Err(_) => EnvFilter::try_new(level),
    }
    .map_err(|_| {
        InvalidSetting(format!(
            "LOG_LEVEL `{}` is neither error, warn, info, debug, trace nor a filter such as `info,sqlx=warn`",
            level.escape_debug()
        ))
    })?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    Ok(())
}

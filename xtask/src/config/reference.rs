//! Renders the reference of `dist.toml` from the schema.

/// `docs/configuration.md`, rendered.
pub fn reference() -> String {
    String::new()
}

//! Files to sign, of every format. Those that are built here are as small as the format allows, so
//! that a test can alter each of their bytes; those that other programs build are what people ship.

mod apple;
mod windows;

pub use apple::{Kind, app, dmg, macho};
pub use windows::{cab, msi, nsis, pe};

/// Bytes that look like nothing in particular, the same each time.
fn noise(count: usize, seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    let mut next = || {
        // xorshift32: nothing compresses it, and no two pages are alike.
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 8) as u8
    };
    (0..count).map(|_| next()).collect()
}

//! Windows' formats.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;
use fs_err as fs;

use super::noise;
use crate::tools;

/// A 64-bit executable: headers and two sections, 3 KiB. Windows would load it and run into noise.
pub fn pe() -> Vec<u8> {
    const ALIGNMENT: u32 = 0x200;
    let mut file = vec![0; ALIGNMENT as usize];
    let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"MZ");
    put(0x3c, &0x40_u32.to_le_bytes());
    put(0x40, b"PE\0\0");
    // IMAGE_FILE_HEADER: AMD64, two sections, size of the optional header, executable.
    put(0x44, &0x8664_u16.to_le_bytes());
    put(0x46, &2_u16.to_le_bytes());
    put(0x54, &240_u16.to_le_bytes());
    put(0x56, &0x22_u16.to_le_bytes());
    // IMAGE_OPTIONAL_HEADER64, from 0x58 on.
    put(0x58, &0x20b_u16.to_le_bytes());
    let words: [(usize, u32); 9] = [
        (0x58 + 16, 0x1000),      // entry point
        (0x58 + 20, 0x1000),      // base of code
        (0x58 + 32, 0x1000),      // section alignment
        (0x58 + 36, ALIGNMENT),   // file alignment
        (0x58 + 56, 0x3000),      // size of image
        (0x58 + 60, ALIGNMENT),   // size of headers
        (0x58 + 72, 0x0010_0000), // stack
        (0x58 + 88, 0x0010_0000), // heap
        (0x58 + 108, 16),         // data directories
    ];
    words
        .iter()
        .for_each(|(at, word)| put(*at, &word.to_le_bytes()));
    put(0x58 + 24, &0x1_4000_0000_u64.to_le_bytes());
    put(0x58 + 40, &6_u16.to_le_bytes());
    put(0x58 + 48, &6_u16.to_le_bytes());
    put(0x58 + 68, &3_u16.to_le_bytes());
    let sections = [
        (".text", 0x1000_u32, 0x200_u32, 0x6000_0020_u32),
        (".data", 0x2000, 0x600, 0xc000_0040),
    ];
    for (index, (name, address, start, flags)) in sections.into_iter().enumerate() {
        let at = 0x58 + 240 + index * 40;
        put(at, name.as_bytes());
        let words = [0x400, address, 0x400, start];
        for (place, word) in words.into_iter().enumerate() {
            put(at + 8 + place * 4, &word.to_le_bytes());
        }
        put(at + 36, &flags.to_le_bytes());
    }
    file.extend(noise(0x800, 1));
    file
}

/// A Windows Installer package with an executable, by wixl.
///
/// # Errors
/// wixl is missing or fails, or the disk's.
pub fn msi(folder: &Path) -> Result<PathBuf> {
    fs::write(folder.join("app.exe"), pe())?;
    fs::write(folder.join("app.wxs"), include_str!("app.wxs"))?;
    let mut wixl = Command::new("wixl");
    wixl.args(["-o", "app.msi", "app.wxs"]).current_dir(folder);
    tools::run(&mut wixl)?;
    Ok(folder.join("app.msi"))
}

/// A cabinet with an executable, by gcab.
///
/// # Errors
/// gcab is missing or fails, or the disk's.
pub fn cab(folder: &Path) -> Result<PathBuf> {
    fs::write(folder.join("app.exe"), pe())?;
    let mut gcab = Command::new("gcab");
    gcab.args(["-c", "app.cab", "app.exe"]).current_dir(folder);
    tools::run(&mut gcab)?;
    Ok(folder.join("app.cab"))
}

/// An installer with an executable, by makensis: a 32-bit executable with data behind its sections.
///
/// # Errors
/// makensis is missing or fails, or the disk's.
pub fn nsis(folder: &Path) -> Result<PathBuf> {
    fs::write(folder.join("app.exe"), pe())?;
    let script = "Name App\nOutFile setup.exe\nRequestExecutionLevel user\n\
        InstallDir \"$LOCALAPPDATA\\App\"\nSection\nSetOutPath $INSTDIR\nFile app.exe\nSectionEnd\n";
    fs::write(folder.join("setup.nsi"), script)?;
    let mut makensis = Command::new("makensis");
    makensis.args(["-V1", "setup.nsi"]).current_dir(folder);
    tools::run(&mut makensis)?;
    Ok(folder.join("setup.exe"))
}

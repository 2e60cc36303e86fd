//! A terminal to test with.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use anstream::StripStream;
use indicatif::TermLike;

use super::Out;

/// A terminal that keeps what it shows: all lines, and the cursor's row and column.
#[derive(Clone, Debug)]
pub(super) struct Screen {
    width: u16,
    gone: bool,
    shown: Arc<Mutex<(Vec<String>, usize, usize)>>,
}

impl Screen {
    pub(super) fn new(width: u16) -> Self {
        Self {
            width,
            gone: false,
            shown: Arc::default(),
        }
    }

    /// A terminal whose window was closed.
    pub(super) fn gone() -> Self {
        Self {
            gone: true,
            ..Self::new(80)
        }
    }

    /// For lines that do not move.
    pub(super) fn out(&self) -> Out {
        Box::new(StripStream::new(Box::new(self.clone()) as Out))
    }

    fn put(&self, text: &str) {
        let (lines, row, column) = &mut *self.shown.lock().unwrap();
        for c in text.chars() {
            if c == '\n' || *column == usize::from(self.width) {
                (*row, *column) = (*row + 1, 0);
            }
            if c == '\n' {
                continue;
            }
            lines.resize(lines.len().max(*row + 1), String::new());
            let mut line: Vec<char> = lines[*row].chars().collect();
            line.resize(line.len().max(*column + 1), ' ');
            line[*column] = c;
            lines[*row] = line.into_iter().collect();
            *column += 1;
        }
    }

    pub(super) fn text(&self) -> String {
        let (lines, ..) = &*self.shown.lock().unwrap();
        let lines: Vec<&str> = lines.iter().map(|line| line.trim_end()).collect();
        lines.join("\n").trim_end().to_owned() + "\n"
    }
}

impl TermLike for Screen {
    fn width(&self) -> u16 {
        self.width
    }
    fn height(&self) -> u16 {
        100
    }
    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.shown.lock().unwrap().1 -= n;
        Ok(())
    }
    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.shown.lock().unwrap().1 += n;
        Ok(())
    }
    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.shown.lock().unwrap().2 += n;
        Ok(())
    }
    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.shown.lock().unwrap().2 -= n;
        Ok(())
    }
    fn write_line(&self, s: &str) -> io::Result<()> {
        self.write_str(s)?;
        self.put("\n");
        Ok(())
    }
    fn write_str(&self, s: &str) -> io::Result<()> {
        if self.gone {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.put(s);
        Ok(())
    }
    fn clear_line(&self) -> io::Result<()> {
        let (lines, row, column) = &mut *self.shown.lock().unwrap();
        *column = 0;
        lines.resize(lines.len().max(*row + 1), String::new());
        lines[*row].clear();
        Ok(())
    }
    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_str(&String::from_utf8_lossy(bytes))?;
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

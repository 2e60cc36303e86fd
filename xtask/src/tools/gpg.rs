//! Detached GPG signatures. This file only says what to run: the program's one spawn runs it.

//! The steps of the pipeline, over files as a build for Windows leaves them.

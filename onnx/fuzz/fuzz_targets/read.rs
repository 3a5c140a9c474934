#![no_main]

#[path = "../steps.rs"]
mod steps;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    steps::read(data);
});

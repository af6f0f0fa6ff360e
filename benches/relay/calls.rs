//! System calls of a thread, where the kernel lets us count them.

use std::fs::{self, File};
use std::io::Read;
use std::os::fd::FromRawFd;

/// Counters of system calls.
pub(crate) struct Calls {
    all: File,
    waits: File,
}

impl Calls {
    /// Counts those of that thread from now on. None where the kernel does not let us.
    pub(crate) fn of(thread: u32) -> Option<Self> {
        let [all, waits] = ["raw_syscalls/sys_enter", "syscalls/sys_enter_epoll_wait"]
            .map(|event| tracepoint(event).and_then(|id| count(id, thread)));
        Some(Self { all: all?, waits: waits? })
    }

    /// All, and of those `epoll_wait`.
    pub(crate) fn so_far(&mut self) -> [f64; 2] {
        [&mut self.all, &mut self.waits].map(|counter| {
            let mut count = [0; 8];
            counter.read_exact(&mut count).unwrap();
            u64::from_ne_bytes(count) as f64
        })
    }
}

fn tracepoint(event: &str) -> Option<u64> {
    let read = |root: &str| fs::read_to_string(format!("{root}/events/{event}/id")).ok();
    let id = read("/sys/kernel/tracing").or_else(|| read("/sys/kernel/debug/tracing"))?;
    id.trim().parse().ok()
}

/// The first 64 bytes of the kernel's `perf_event_attr`, which are a version of it.
#[repr(C)]
#[derive(Default)]
struct Event {
    kind: u32,
    len: u32,
    config: u64,
    zeros: [u64; 6],
}

const TRACEPOINT: u32 = 2;

/// A counter of that event in that thread (`perf_event_open(2)`).
fn count(id: u64, thread: u32) -> Option<File> {
    let len = u32::try_from(size_of::<Event>()).unwrap();
    let event = Event { kind: TRACEPOINT, len, config: id, ..Event::default() };
    let (thread, anywhere, no_group, no_flags) = (i64::from(thread), -1_i64, -1_i64, 0_i64);
    // SAFETY: the kernel reads as much of the event as it says, and gives a file of our own.
    let file = unsafe {
        let number = libc::SYS_perf_event_open;
        libc::syscall(number, &raw const event, thread, anywhere, no_group, no_flags)
    };
    let file = i32::try_from(file).ok().filter(|file| *file >= 0)?;
    // SAFETY: it has just been opened, and nobody else knows of it.
    Some(unsafe { File::from_raw_fd(file) })
}

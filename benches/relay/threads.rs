//! What the kernel knows of this process's threads: their time, in user code and in its own, how
//! often they slept, and their system calls where it lets us count them.

use std::fs::{self, File};
use std::io::Read;
use std::os::fd::FromRawFd;
use std::time::Duration;

/// A thread whose doings are counted.
pub(crate) struct Thread(u32);

/// What a thread has done so far.
#[derive(Clone, Copy)]
pub(crate) struct Done {
    pub(crate) cpu: Duration,
    /// The parts of it; the kernel samples them, so they are a share over seconds.
    pub(crate) user: f64,
    pub(crate) kernel: f64,
    /// How often it waited for something to happen.
    pub(crate) sleeps: f64,
}

impl Thread {
    /// The one of that name.
    pub(crate) fn named(name: &str) -> Self {
        let is_it = |path: &std::path::Path| {
            fs::read_to_string(path.join("comm")).is_ok_and(|comm| comm.trim_end() == name)
        };
        let tasks = fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap());
        let task = tasks.into_iter().find(|task| is_it(&task.path())).unwrap();
        Self(task.file_name().to_str().unwrap().parse().unwrap())
    }

    pub(crate) fn done(&self) -> Done {
        let read = |file| fs::read_to_string(format!("/proc/self/task/{}/{file}", self.0)).unwrap();
        let schedstat = read("schedstat");
        let cpu = Duration::from_nanos(schedstat.split(' ').next().unwrap().parse().unwrap());
        let stat = read("stat");
        // Behind the name, which may hold blanks: the state is the third field of all.
        let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        let ticks = |field: usize| fields[field - 3].parse::<f64>().unwrap();
        let status = read("status");
        let sleeps = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        let sleeps = sleeps.unwrap().trim().parse().unwrap();
        Done { cpu, user: ticks(14), kernel: ticks(15), sleeps }
    }

    /// Counts its system calls from now on. None where the kernel does not let us.
    pub(crate) fn count_calls(&self) -> Option<Calls> {
        let [all, waits] = ["raw_syscalls/sys_enter", "syscalls/sys_enter_epoll_wait"]
            .map(|event| tracepoint(event).and_then(|id| count(id, self.0)));
        Some(Calls { all: all?, waits: waits? })
    }
}

/// Counters of system calls.
pub(crate) struct Calls {
    all: File,
    waits: File,
}

impl Calls {
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

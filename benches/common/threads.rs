//! What the kernel knows of this process's threads: their time, in user code and in its own, and
//! how often they slept.

use std::fs;
use std::time::Duration;

/// What threads have done so far.
#[derive(Clone, Copy, Default)]
pub(crate) struct Done {
    pub(crate) cpu: Duration,
    /// The parts of it; the kernel samples them, so they are a share over seconds.
    pub(crate) user: f64,
    pub(crate) kernel: f64,
    /// How often they waited for something to happen.
    pub(crate) sleeps: f64,
}

/// All threads: their ids and names.
pub(crate) fn all() -> Vec<(u32, String)> {
    let told = |task: fs::DirEntry| {
        let name = fs::read_to_string(task.path().join("comm")).ok()?;
        Some((task.file_name().to_str()?.parse().ok()?, name.trim_end().to_owned()))
    };
    fs::read_dir("/proc/self/task").unwrap().filter_map(|task| told(task.unwrap())).collect()
}

/// The ids of the threads of that name.
pub(crate) fn named(name: &str) -> impl Iterator<Item = u32> {
    all().into_iter().filter(move |(_, one)| one == name).map(|(id, _)| id)
}

/// What the threads of that name have done together.
pub(crate) fn done(name: &str) -> Done {
    named(name).filter_map(done_by).fold(Done::default(), |sum, one| Done {
        cpu: sum.cpu + one.cpu,
        user: sum.user + one.user,
        kernel: sum.kernel + one.kernel,
        sleeps: sum.sleeps + one.sleeps,
    })
}

/// None where the thread has ended.
fn done_by(id: u32) -> Option<Done> {
    let read = |file| fs::read_to_string(format!("/proc/self/task/{id}/{file}")).ok();
    let cpu = Duration::from_nanos(read("schedstat")?.split(' ').next()?.parse().ok()?);
    let stat = read("stat")?;
    // Behind the name, which may hold blanks: the state is the third field of all.
    let fields: Vec<_> = stat.rsplit(')').next()?.split_whitespace().collect();
    let ticks = |field: usize| fields.get(field - 3)?.parse().ok();
    let status = read("status")?;
    let sleeps = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    let sleeps = sleeps?.trim().parse().ok()?;
    Some(Done { cpu, user: ticks(14)?, kernel: ticks(15)?, sleeps })
}

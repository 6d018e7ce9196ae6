//! What mapped libraries cost: the private memory of their mappings, as the kernel accounts for it (proc_pid_smaps(5)). Pages that
//! were not written are the file's own, which the system may drop at any time: they are not counted.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// A library's zeroed data is a few pages. What lies right behind a library and is longer is a heap that the system has put there.
const ZEROED_KIB: u64 = 64;

/// The private memory of this process's mappings of files in `folder`, in KiB by file.
pub fn of_files_in(folder: &Path) -> HashMap<PathBuf, u64> {
    std::fs::read_to_string("/proc/self/smaps").map(|text| by_file(&text, folder)).unwrap_or_default()
}

fn by_file(smaps: &str, folder: &Path) -> HashMap<PathBuf, u64> {
    let mut costs: HashMap<PathBuf, u64> = HashMap::new();
    let mut file: Option<PathBuf> = None;
    let mut end = "";
    let mut most = u64::MAX;
    for line in smaps.lines() {
        let mut words = line.split_ascii_whitespace();
        let Some(first) = words.next() else { continue };
        if let Some((from, to)) = first.split_once('-').filter(|_| !first.ends_with(':')) {
            let path = words.nth(4).map(PathBuf::from);
            // The zeroed data of a library has no name, and lies right behind the rest of it.
            let goes_on = path.is_none() && from == end;
            most = if goes_on { ZEROED_KIB } else { u64::MAX };
            if !goes_on {
                file = path.filter(|path| path.starts_with(folder));
            }
            end = to;
        } else if first == "Anonymous:"
            && let Some(file) = &file
        {
            let kib = words.next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0);
            *costs.entry(file.clone()).or_default() += kib.min(most);
        }
    }
    costs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_written_pages_of_a_file_and_its_zeroed_data_are_summed() {
        let smaps = "\
7f00-7f10 r--p 00000000 fe:00 12                 /tmp/c/liba.so
Private_Clean:       100 kB
Anonymous:             8 kB
7f10-7f20 rw-p 00010000 fe:00 12                 /tmp/c/liba.so
Anonymous:            16 kB
7f20-7f30 rw-p 00000000 00:00 0
Anonymous:            32 kB
7f40-7f50 rw-p 00000000 00:00 0
Anonymous:           100 kB
7f50-7f60 r--p 00000000 fe:00 13                 /usr/lib/libc.so.6
Anonymous:           100 kB
";
        assert_eq!(by_file(smaps, Path::new("/tmp/c")), HashMap::from([(PathBuf::from("/tmp/c/liba.so"), 56)]));
    }

    #[test]
    fn a_heap_right_behind_a_library_is_not_its_data() {
        let smaps = "\
7f10-7f20 rw-p 00010000 fe:00 12                 /tmp/c/liba.so
Anonymous:            16 kB
7f20-7f90 rw-p 00000000 00:00 0
Anonymous:          9000 kB
";
        assert_eq!(by_file(smaps, Path::new("/tmp/c")), HashMap::from([(PathBuf::from("/tmp/c/liba.so"), 80)]));
    }

    #[test]
    fn this_process_is_accounted_for() {
        let program = std::env::current_exe().unwrap();
        let costs = of_files_in(program.parent().unwrap());
        assert!(costs.get(&program).is_some_and(|kib| *kib > 0), "{costs:?}");
    }
}

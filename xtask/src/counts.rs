//! How many tests ran, read from what their runners print.

use std::ops::AddAssign;

/// The tests of a suite, or of all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub passed: usize,
    pub failed: usize,
    pub skipped: usize,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// Adds up the closing lines of runners. Each knows only its own.
#[derive(Debug, Default)]
pub struct Counter {
    counts: Counts,
    closing_lines: usize,
}

impl Counter {
    /// Takes one line of output.
    pub fn read(&mut self, line: &str) {
        if let Some(counts) = libtest(line).or_else(|| node(line)) {
            self.counts += counts;
            self.closing_lines += 1;
        }
    }

    /// The sum, or `None` if no runner has said anything.
    pub fn finish(self) -> Option<Counts> {
        (self.closing_lines > 0).then_some(self.counts)
    }
}

/// `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s`
fn libtest(line: &str) -> Option<Counts> {
    let rest = line.strip_prefix("test result: ")?;
    let mut counts = Counts::default();
    for part in rest.split(['.', ';']) {
        if let Some((number, word)) = part.trim().split_once(' ')
            && let Ok(number) = number.parse::<usize>()
        {
            match word {
                "passed" => counts.passed = number,
                "failed" => counts.failed = number,
                "ignored" => counts.skipped = number,
                _ => {}
            }
        }
    }
    Some(counts)
}

/// `# pass 3` as TAP, `ℹ pass 3` as `spec`; each of the numbers stands on a line of its own.
fn node(line: &str) -> Option<Counts> {
    let (word, number) = line.strip_prefix("# ").or(line.strip_prefix("ℹ "))?.split_once(' ')?;
    let number = number.parse().ok()?;
    match word {
        "pass" => Some(Counts { passed: number, ..Counts::default() }),
        "fail" | "cancelled" => Some(Counts { failed: number, ..Counts::default() }),
        "skipped" | "todo" => Some(Counts { skipped: number, ..Counts::default() }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(output: &str, expected: Option<Counts>) {
        let mut counter = Counter::default();
        output.lines().for_each(|line| counter.read(line));
        assert_eq!(counter.finish(), expected);
    }

    #[test]
    fn the_closing_lines_of_cargo_test_add_up() {
        check(
            "running 3 tests\n\
             test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 7 filtered out; finished in 0.00s\n\
             test result: FAILED. 2 passed; 4 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.50s\n",
            Some(Counts { passed: 5, failed: 4, skipped: 1 }),
        );
    }

    #[test]
    fn nodes_runner_is_understood_in_both_of_its_forms() {
        let tap = "# tests 9\n# suites 2\n# pass 5\n# fail 1\n# cancelled 2\n# skipped 1\n# todo 0\n# duration_ms 12.5\n";
        let expected = Some(Counts { passed: 5, failed: 3, skipped: 1 });
        check(tap, expected);
        check(&tap.replace("# ", "ℹ "), expected);
    }

    #[test]
    fn a_runner_that_died_has_counted_nothing() {
        check("running 3 tests\nsegmentation fault\n", None);
    }
}

//! What the layout check's report says, in one line: the type, the field, what was expected and what is there.
//!
//! The report of abi_stable is thousands of lines long. It lists, from the root module down, each type that holds the one that
//! differs ("N error(s)inside:", then pairs of `field_name:` and `type:`), then both layouts, then `Error:`, `Expected:`, `Found:`.
//! Where it should not look so, its beginning is shown. Knows its form; knows nothing of libraries.

/// The package whose types an author of plugins can look up.
const OURS: &str = "package:'switchboard-plugin-api'";

/// Differences that are told; more are of no help.
const MOST: usize = 3;

/// One type on the way to what differs.
struct Step<'r> {
    field: &'r str,
    of_type: &'r str,
    is_ours: bool,
}

/// What the report says.
pub(super) fn differences(report: &str) -> String {
    let mut told: Vec<String> = Vec::new();
    for section in sections(report) {
        let place = place(&steps(section));
        for difference in errors(section) {
            let line = format!("{place}: {difference}");
            if !told.contains(&line) {
                told.push(line);
            }
        }
    }
    if told.is_empty() {
        return report.lines().map(str::trim).filter(|line| !line.is_empty()).take(4).collect::<Vec<_>>().join("; ");
    }
    // What holds others is compared before them, so the innermost comes last.
    told.drain(..told.len().saturating_sub(MOST));
    told.join("; ")
}

/// The parts of the report that have errors.
fn sections(report: &str) -> impl Iterator<Item = &str> {
    let mut count = 0;
    report.split("error(s)inside:").filter(move |part| {
        // The number stands before the words, so at the end of the part before.
        let here = count;
        count = part.lines().next_back().and_then(|line| line.trim().parse().ok()).unwrap_or(0);
        here > 0
    })
}

fn steps(section: &str) -> Vec<Step<'_>> {
    let way = section.split("Layout of expected type:").next().unwrap_or_default();
    let mut steps: Vec<Step<'_>> = Vec::new();
    for line in way.lines().map(str::trim) {
        if let Some(field) = line.strip_prefix("field_name:") {
            steps.push(Step { field, of_type: "", is_ours: false });
        } else if let Some(step) = steps.last_mut() {
            if let Some(of_type) = line.strip_prefix("type:") {
                step.of_type = of_type.trim();
            }
            step.is_ours |= line.starts_with(OURS);
        }
    }
    steps
}

/// `Type.field`, from the innermost type of ours on.
fn place(steps: &[Step<'_>]) -> String {
    let owner = steps.iter().rposition(|step| step.is_ours);
    let mut place = match owner {
        Some(index) => steps[index].of_type.to_owned(),
        None => "the root module".to_owned(),
    };
    for step in &steps[owner.map_or(0, |index| index + 1)..] {
        // Numbers are the fields of tuples and pointers.
        if !step.field.bytes().all(|byte| byte.is_ascii_digit()) {
            place.push('.');
            place.push_str(step.field);
        }
    }
    format!("`{place}`")
}

fn errors(section: &str) -> Vec<String> {
    let mut lines = section.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut errors = Vec::new();
    while let Some(line) = lines.next() {
        let Some(error) = line.strip_prefix("Error:") else { continue };
        let mut error = error.trim().to_owned();
        if lines.next() == Some("Expected:")
            && let Some(expected) = lines.next()
            && let Some(found) = lines.by_ref().skip_while(|line| *line != "Found:").nth(1)
        {
            error.push_str(&format!(", expected {expected}, found {found}"));
        }
        errors.push(error);
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "\
Compared <this>:
    type:PrefixRef<'a, PluginModule>
0 error(s).

0 error(s)inside:
    <other>

    field_name:0
    type:PluginModule
    package:'switchboard-plugin-api' version:'1.0.0'

Layout of expected type:
    field_name:manifest

1 error(s)inside:
    <other>

    field_name:0
    type:PluginModule
    package:'switchboard-plugin-api' version:'1.0.0'

    field_name:0
    type:RawEvent
    size:24 align:8
    package:'switchboard-plugin-api' version:'1.0.0'

    field_name:id
    type:i32
    package:'std' version:'1.0.0'

Layout of expected type:
    type:u32

Error:mismatched type
Expected:
    u32
Found:
    i32
";

    #[test]
    fn the_type_and_the_field_are_named() {
        assert_eq!(differences(REPORT), "`RawEvent.id`: mismatched type, expected u32, found i32");
    }

    #[test]
    fn a_report_of_another_form_is_shown_from_its_beginning() {
        assert_eq!(differences("\nsomething\n\n  else\n"), "something; else");
    }
}

//! Which plugins serve, in which order: those required first, then by `order`, then by name.
//!
//! Knows names and numbers; decides nothing about how a plugin is started.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// A plugin that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Its file.
    pub path: PathBuf,
    /// Its name.
    pub name: String,
    /// Whether the configuration wants it.
    pub enabled: bool,
    /// Its place.
    pub order: i64,
    /// The names of those that must be there before it.
    pub requires: Vec<String>,
    /// Whether it serves already: among several of one name, this one stays.
    pub serves: bool,
}

/// A plugin that does not serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its file.
    pub path: PathBuf,
    /// Why, as the rest of a line that begins with the file.
    pub reason: String,
    /// Whether the operator has to do something: a disabled plugin is none.
    pub is_error: bool,
}

/// What is to serve.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Files in the order in which they are started.
    pub order: Vec<PathBuf>,
    /// All others.
    pub refused: Vec<Refused>,
}

/// Makes the plan.
pub fn plan(wanted: Vec<Wanted>) -> Plan {
    let mut plan = Plan::default();
    let mut by_name: BTreeMap<String, Wanted> = BTreeMap::new();
    let mut sorted = wanted;
    sorted.sort_by(|a, b| (!a.serves, &a.path).cmp(&(!b.serves, &b.path)));
    for plugin in sorted {
        if !plugin.enabled {
            plan.refuse(&plugin, "is disabled".to_owned(), false);
            continue;
        }
        match by_name.get(&plugin.name) {
            Some(first) => {
                let reason = format!("is a second plugin named `{}`: {} is the first", plugin.name, first.path.display());
                plan.refuse(&plugin, reason, true);
            }
            None => {
                by_name.insert(plugin.name.clone(), plugin);
            }
        }
    }
    drop_incomplete(&mut by_name, &mut plan);
    let mut placed: BTreeSet<String> = BTreeSet::new();
    let mut rest: Vec<Wanted> = by_name.into_values().collect();
    rest.sort_by(|a, b| (a.order, &a.name).cmp(&(b.order, &b.name)));
    while !rest.is_empty() {
        let ready = rest.iter().position(|plugin| plugin.requires.iter().all(|name| placed.contains(name)));
        match ready {
            Some(at) => {
                let plugin = rest.remove(at);
                placed.insert(plugin.name);
                plan.order.push(plugin.path);
            }
            None => {
                let names: Vec<&str> = rest.iter().map(|plugin| plugin.name.as_str()).collect();
                let reason = format!("requires plugins that require it: {}", names.join(", "));
                for plugin in std::mem::take(&mut rest) {
                    plan.refuse(&plugin, reason.clone(), true);
                }
            }
        }
    }
    plan
}

/// Takes out what requires something that is not there, and then what requires that.
fn drop_incomplete(by_name: &mut BTreeMap<String, Wanted>, plan: &mut Plan) {
    loop {
        let incomplete = by_name.values().find_map(|plugin| {
            let missing = plugin.requires.iter().find(|name| !by_name.contains_key(*name))?;
            Some((plugin.clone(), missing.clone()))
        });
        let Some((plugin, missing)) = incomplete else { return };
        by_name.remove(&plugin.name);
        plan.refuse(&plugin, format!("requires the plugin `{missing}`, which is not there or not enabled"), true);
    }
}

impl Plan {
    fn refuse(&mut self, plugin: &Wanted, reason: String, is_error: bool) {
        self.refused.push(Refused { path: plugin.path.clone(), reason, is_error });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plugin(name: &str, order: i64, requires: &[&str]) -> Wanted {
        Wanted {
            path: PathBuf::from(format!("lib{name}.so")),
            name: name.to_owned(),
            enabled: true,
            order,
            requires: requires.iter().map(|&name| name.to_owned()).collect(),
            serves: false,
        }
    }

    fn order(wanted: Vec<Wanted>) -> Vec<String> {
        plan(wanted).order.iter().map(|path| path.display().to_string()).collect()
    }

    #[test]
    fn what_is_required_comes_first_then_order_then_name() {
        let wanted = vec![plugin("chat", -5, &["rooms"]), plugin("b", 0, &[]), plugin("a", 0, &[]), plugin("rooms", 9, &[])];
        assert_eq!(order(wanted), ["liba.so", "libb.so", "librooms.so", "libchat.so"]);
    }

    #[test]
    fn a_missing_dependency_takes_out_all_that_stand_on_it() {
        let plan = plan(vec![plugin("top", 0, &["middle"]), plugin("middle", 0, &["bottom"]), plugin("other", 0, &[])]);
        assert_eq!(plan.order, [PathBuf::from("libother.so")]);
        assert!(plan.refused[0].reason.contains("`bottom`"));
        assert!(plan.refused[1].reason.contains("`middle`"));
    }

    #[test]
    fn a_circle_is_refused_and_names_its_members() {
        let plan = plan(vec![plugin("a", 0, &["b"]), plugin("b", 0, &["a"])]);
        assert!(plan.order.is_empty());
        assert!(plan.refused[0].reason.contains("a, b"));
    }

    #[test]
    fn of_two_with_one_name_the_serving_one_stays() {
        let second = Wanted { path: PathBuf::from("libz.so"), serves: true, ..plugin("a", 0, &[]) };
        let plan = plan(vec![plugin("a", 0, &[]), second]);
        assert_eq!(plan.order, [PathBuf::from("libz.so")]);
        assert!(plan.refused[0].is_error);
    }
}

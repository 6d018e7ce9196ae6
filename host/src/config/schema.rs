//! What a plugin's JSON Schema (2020-12, as `schemars` writes it) allows at one place of its table.
//!
//! Knows the keywords that say which keys and words may stand somewhere. Does not validate: the plugin has done that.

use serde_json::Value;

/// What may stand at a place.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Allowed {
    /// The place is a key that its table doesn't have; these are the ones it has.
    Keys(Vec<String>),
    /// The place is a known key, and its value must be one of these words.
    Words(Vec<String>),
    /// The schema names no short list.
    Unlisted,
}

/// What `schema` allows at `path`, whose last step is the key to blame.
pub(super) fn allowed(schema: &Value, path: &[String]) -> Allowed {
    let Some((last, parents)) = path.split_last() else {
        return Allowed::Unlisted;
    };
    let mut here = vec![schema];
    for step in parents {
        here = here.into_iter().flat_map(|node| children(schema, node, step)).collect();
    }
    let there: Vec<&Value> = here.iter().flat_map(|node| children(schema, node, last)).collect();
    let words: Vec<String> = there.iter().flat_map(|node| words(schema, node)).collect();
    let keys: Vec<String> = here.iter().flat_map(|node| keys(schema, node)).collect();
    if !words.is_empty() {
        Allowed::Words(words)
    } else if there.is_empty() && !keys.is_empty() {
        Allowed::Keys(keys)
    } else {
        Allowed::Unlisted
    }
}

/// The node itself, what it refers to, and the alternatives that it is made of.
fn variants<'a>(root: &'a Value, node: &'a Value) -> Vec<&'a Value> {
    let mut found = vec![node];
    let mut next = 0;
    while let Some(node) = found.get(next).copied() {
        next += 1;
        let referred =
            node["$ref"].as_str().and_then(|reference| reference.strip_prefix('#')).and_then(|pointer| root.pointer(pointer));
        let alternatives = ["anyOf", "oneOf", "allOf"].into_iter().filter_map(|keyword| node[keyword].as_array()).flatten();
        for one in referred.into_iter().chain(alternatives) {
            // A schema may refer to itself.
            if !found.iter().any(|known| std::ptr::eq(*known, one)) {
                found.push(one);
            }
        }
    }
    found
}

fn children<'a>(root: &'a Value, node: &'a Value, step: &str) -> Vec<&'a Value> {
    variants(root, node)
        .into_iter()
        .filter_map(|node| match node["properties"].get(step) {
            Some(property) => Some(property),
            None if step.bytes().all(|byte| byte.is_ascii_digit()) => node.get("items"),
            None => node.get("additionalProperties").filter(|other| other.is_object()),
        })
        .collect()
}

fn keys(root: &Value, node: &Value) -> Vec<String> {
    variants(root, node)
        .into_iter()
        .filter_map(|node| node["properties"].as_object())
        .flat_map(|properties| properties.keys().cloned())
        .collect()
}

fn words(root: &Value, node: &Value) -> Vec<String> {
    variants(root, node)
        .into_iter()
        .flat_map(|node| {
            let listed = node["enum"].as_array().into_iter().flatten();
            listed.chain(node.get("const"))
        })
        .filter_map(|word| word.as_str().map(str::to_owned))
        .collect()
}

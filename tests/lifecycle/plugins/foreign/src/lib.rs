//! A library made with abi_stable that is not a plugin of Switchboard: it exports a module of another layout.

use abi_stable::StableAbi;
use abi_stable::export_root_module;
use abi_stable::library::RootModule;
use abi_stable::prefix_type::PrefixTypeTrait;
use abi_stable::sabi_types::VersionStrings;
use abi_stable::std_types::RString;

/// Another application's module.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = SpellBookRef)))]
pub struct SpellBook {
    /// Says a spell.
    #[sabi(last_prefix_field)]
    pub spell: extern "C" fn(times: u8) -> RString,
}

impl RootModule for SpellBookRef {
    abi_stable::declare_root_module_statics! {SpellBookRef}
    const BASE_NAME: &'static str = "spell_book";
    const NAME: &'static str = "spell book";
    const VERSION_STRINGS: VersionStrings = abi_stable::package_version_strings!();
}

#[export_root_module]
fn root_module() -> SpellBookRef {
    SpellBook { spell }.leak_into_prefix()
}

extern "C" fn spell(times: u8) -> RString {
    "abracadabra ".repeat(usize::from(times)).into()
}

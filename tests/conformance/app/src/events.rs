//! Named events, on the plugin `emitter`, where it is there.

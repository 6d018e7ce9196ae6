/**
 * @file Writes the plugins.toml that gives our server what a test asks for.
 *
 * Knows the keys of plugins.toml; no test does.
 */

/**
 * @param {import('./server.js').Settings} settings
 * @param {string} plugins The folder of the libraries.
 */
export function configuration(settings, plugins) {
  const origins = settings.origins ?? ['*'];
  const tables = {
    server: {
      listen: `127.0.0.1:${settings.port}`,
      plugins,
      path: settings.pathname,
      ping_interval: settings.pingInterval ? `${settings.pingInterval}ms` : false,
      max_message: settings.maxLength,
      cors: { origins },
      ...(settings.static ? { static: { '/': settings.static } } : {}),
    },
    websocket: {
      max_message_bytes: settings.maxLength,
      origins,
      ...(settings.compression ? { compression: { threshold_bytes: 1, server_no_context_takeover: false } } : {}),
    },
  };
  for (const [name, keys] of Object.entries(settings.tables ?? {})) tables[name] = { ...tables[name], ...keys };
  return Object.entries(tables)
    .map(([name, keys]) => table(name, keys))
    .join('\n');
}

/** One table; a value is a string, number, boolean, array of those, or an inline table of them. */
export function table(name, keys) {
  const lines = Object.entries(keys).map(([key, value]) => `${JSON.stringify(key)} = ${literal(value)}\n`);
  return `[${name}]\n${lines.join('')}`;
}

function literal(value) {
  if (Array.isArray(value)) return `[${value.map(literal).join(', ')}]`;
  if (typeof value === 'object') {
    return `{ ${Object.entries(value).map(([key, inner]) => `${JSON.stringify(key)} = ${literal(inner)}`).join(', ')} }`;
  }
  return JSON.stringify(value); // a JSON string, number or boolean is a TOML one too
}

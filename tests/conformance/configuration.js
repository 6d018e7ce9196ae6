/**
 * @file Writes the plugins.toml that gives our server what a test asks for.
 *
 * Knows the keys of plugins.toml; no test does.
 */

/** What the tests' passwords are in plugins.toml: Argon2, as cheap as it can be. */
const hashes = {
  wonderland: '$argon2id$v=19$m=64,t=1,p=1$WpouIE6tATYIXMkwLRzkyw$ItXBs7FjGIuqMSM51ykczRfaJhfqmL1B6WbJRYhh8bA',
  'wonder:land': '$argon2id$v=19$m=64,t=1,p=1$d029VFz6dXrNYWmTAhr+6w$cHeVYhAGg+HfMMxsCBOYobL3uKJpuKjldxlgk9zJXb8',
  'pässword': '$argon2id$v=19$m=64,t=1,p=1$c14pPJE2K1CdkqEZTOc7vQ$zH215CUUS2UUkGCDOih/kkGgucnRO2FChE8JTp6YeeY',
};

/**
 * @param {import('./server.js').Settings} settings
 * @param {string} plugins The folder of the libraries.
 */
export function configuration(settings, plugins) {
  const tables = {
    server: {
      listen: `127.0.0.1:${settings.port}`,
      plugins,
      path: settings.pathname,
      ...(settings.parser ? { parser: settings.parser } : {}),
      ping_interval: settings.pingInterval ? `${settings.pingInterval}ms` : false,
      max_message: settings.maxLength,
      cors: { origins: settings.origins ?? ['*'] },
      ...(settings.static ? { static: { '/': settings.static } } : {}),
    },
    websocket: {
      max_message_bytes: settings.maxLength,
      ...(settings.compression ? { compression: { threshold_bytes: 1, server_no_context_takeover: false } } : {}),
    },
  };
  // A table for what is not there would be warned of.
  if (settings.plugins && !settings.plugins.flat().includes('websocket')) delete tables.websocket;
  if (settings.users) {
    const users = Object.entries(settings.users).map(([name, password]) => [name, hashes[password]]);
    tables['auth-basic'] = { users: Object.fromEntries(users) };
  }
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

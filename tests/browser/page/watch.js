// What the browser refused because of the page's content security policy.
window.violations = [];
document.addEventListener('securitypolicyviolation', (event) => {
  window.violations.push(`${event.violatedDirective}: ${event.blockedURI || event.sourceFile}`);
});

// Connects, and keeps what happens for the test to look at.
window.connect = (Primus, url, options) => {
  const primus = new Primus(url, {
    reconnect: { min: 5, max: 100, factor: 1.2, retries: 500, 'reconnect timeout': 2000 },
    // A busy machine is no reason to take another transport; a test may say otherwise in the page's address.
    headStart: Number(new URLSearchParams(location.search).get('headStart') ?? 20_000),
    ...options,
  });
  window.primus = primus;
  window.events = [];
  window.received = [];
  for (const name of ['open', 'close', 'end', 'offline', 'online', 'reconnect scheduled', 'reconnected', 'error']) {
    primus.on(name, () => window.events.push(name));
  }
  primus.on('data', (data) => window.received.push(data));
};

import Primus, { Primus as named } from '/primus/primus.mjs';

window.sameExport = Primus === named;
window.connect(Primus);

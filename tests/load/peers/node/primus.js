// Echo and fan-out with `primus` (transformer `websockets`, parser `JSON`), rooms by `primus-rooms`.

import { createServer } from "node:http";
import Primus from "primus";
import rooms from "primus-rooms";
import { port, role } from "./role.js";

const server = createServer();
const primus = new Primus(server, { transformer: "websockets", parser: "JSON" });
primus.plugin("rooms", rooms);

primus.on("connection", (spark) => {
  switch (role(spark.query)) {
    case "echo":
      spark.on("data", (data) => spark.write(data));
      break;
    case "publisher":
      spark.on("data", (data) => primus.room("bench").write(data));
      break;
    case "receiver":
      spark.join("bench");
      break;
  }
});

server.listen(port, "127.0.0.1");

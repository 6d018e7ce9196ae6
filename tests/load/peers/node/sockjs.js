// Echo and fan-out with `sockjs`; it has no rooms: a set of the receivers is its room.

import { createServer } from "node:http";
import sockjs from "sockjs";
import { port, role } from "./role.js";

const server = createServer();
const endpoint = sockjs.createServer({ log: () => {} });

const receivers = new Set();

endpoint.on("connection", (connection) => {
  const { searchParams } = new URL(connection.url, "http://localhost");
  switch (role(Object.fromEntries(searchParams))) {
    case "echo":
      connection.on("data", (data) => connection.write(data));
      break;
    case "publisher":
      connection.on("data", (data) => {
        for (const receiver of receivers) receiver.write(data);
      });
      break;
    case "receiver":
      receivers.add(connection);
      connection.on("close", () => receivers.delete(connection));
      break;
  }
});

endpoint.installHandlers(server, { prefix: "/bench" });
server.listen(port, "127.0.0.1");

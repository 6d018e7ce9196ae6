// Echo and fan-out with `engine.io`, by polling alone; it has no rooms: a set of the receivers is its room.

import { Server } from "engine.io";
import { createServer } from "node:http";
import { port, role } from "./role.js";

const server = createServer();
const engine = new Server({ transports: ["polling"] });
engine.attach(server);

const receivers = new Set();

engine.on("connection", (socket) => {
  switch (role(socket.request._query)) {
    case "echo":
      socket.on("message", (data) => socket.send(data));
      break;
    case "publisher":
      socket.on("message", (data) => {
        for (const receiver of receivers) receiver.send(data);
      });
      break;
    case "receiver":
      receivers.add(socket);
      socket.on("close", () => receivers.delete(socket));
      break;
  }
});

server.listen(port, "127.0.0.1");

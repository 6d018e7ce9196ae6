// Echo and fan-out with `socket.io`: events named `m`, rooms by the library's own `join` and `to`.

import { Server } from "socket.io";
import { createServer } from "node:http";
import { port, role } from "./role.js";

const server = createServer();
const io = new Server(server, { serveClient: false });

io.on("connection", (socket) => {
  switch (role(socket.handshake.query)) {
    case "echo":
      socket.on("m", (message) => socket.emit("m", message));
      break;
    case "publisher":
      socket.on("m", (message) => io.to("bench").emit("m", message));
      break;
    case "receiver":
      socket.join("bench");
      break;
  }
});

server.listen(port, "127.0.0.1");

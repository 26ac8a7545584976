// The Socket.IO peer of the bench: rooms of two, WebSocket only, nothing is stored.
// It acknowledges a message once it has been handed to the room, as a chat on Socket.IO would.
// "message" is the least there is; "chat:send_message" is what clients of phase5 say and hear.
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { Server } from "socket.io";

const port = Number(process.argv[2] ?? 0);
const http = createServer();
const io = new Server(http, {
  transports: ["websocket"],
  serveClient: false,
  perMessageDeflate: false,
  maxHttpBufferSize: 65536,
});

io.on("connection", (socket) => {
  socket.on("join", (room, done) => {
    socket.join(room);
    if (typeof done === "function") done();
  });
  socket.on("message", (room, text, done) => {
    socket.to(room).emit("message", text);
    if (typeof done === "function") done();
  });
  socket.on("chat:send_message", ({ session_id, content }, done) => {
    const message = {
      id: randomUUID(),
      session_id,
      sender_id: 1001,
      sender_type: "customer",
      type: "text",
      content,
      attachment_url: null,
      created_at: new Date().toISOString(),
    };
    io.to(session_id).emit("chat:new_message", { session_id, message });
    if (typeof done === "function") done({ success: true, message });
  });
});

http.listen(port, "127.0.0.1", () => {
  process.stdout.write(`listening on ${http.address().port}\n`);
});

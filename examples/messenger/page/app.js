// The messenger: joins the model (what is known) with the views (what is seen).
//
// model/ knows the protocol of the messenger plugin and nothing of the page; view/ knows the page and nothing of the wire.
// Elements that a test or a script may hold on to carry `data-testid`: name-input, join-button, room-item, new-room-input, message-list,
// message (with data-state: pending, sent, failed), composer, send-button, members, typing, connection-state (with data-state: connecting,
// open, reconnecting, offline, closed).

import { Connection } from "./model/connection.js";
import { Chat } from "./model/chat.js";
import { Session } from "./model/session.js";
import { showComposer } from "./view/composer.js";
import { showConnection } from "./view/connection.js";
import { showEntrance } from "./view/entrance.js";
import { showLayout } from "./view/layout.js";
import { showMembers } from "./view/members.js";
import { showRooms } from "./view/rooms.js";
import { showTimeline } from "./view/timeline.js";

const session = new Session();
const connection = new Connection();
const chat = new Chat(connection, session);

showConnection(connection);
showEntrance(chat, session);
showLayout(chat);
showRooms(chat);
showTimeline(chat);
showComposer(chat);
showMembers(chat);

connection.open();

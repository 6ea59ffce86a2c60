import "./styles/base.css";
import "./styles/parts.css";
import "./styles/lobby.css";
import "./styles/call.css";
import "./styles/people.css";
import "./styles/stats.css";
import "./styles/ending.css";
import { readAddress } from "./address";
import { App } from "./app";

const root = document.getElementById("app");
if (root) void new App(root, readAddress(location)).start();

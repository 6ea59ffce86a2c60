import "./styles/base.css";
import "./styles/parts.css";
import "./styles/lobby.css";
import "./styles/make_avatar.css";
import "./styles/my_avatars.css";
import "./styles/call.css";
import "./styles/people.css";
import "./styles/stats.css";
import "./styles/ending.css";
import "./styles/connection_test.css";
import { readAddress } from "./address";
import { App } from "./app";
import { TestScreen } from "./ui/connection_test";

const root = document.getElementById("app");
const address = readAddress(location);
if (root && address.isTest) new TestScreen(root, address).start();
else if (root) void new App(root, address).start();

// What a phone that is a device of the shop can do by itself. The scanner (scan.js) fetches it on such phones only: the others stay light.
import { trusted } from './shop/clock.js';
import { barredFrom, barredFromUse, mustAnswer, prepare, remembered, takeBackHere, takeHere } from './shop/counter.js';
import { begin } from './shop/device.js';
import { clerkHere } from './shop/lock.js';
import { unsent } from './shop/log.js';
import { catchUp, isRefused, keepSending, onChange, sendSoon, sync } from './shop/sync.js';
import { learnWords, say } from './shop/words.js';

window.linliShop = {
  barredFrom, barredFromUse, begin, catchUp, clerkHere, isRefused, keepSending, learnWords, mustAnswer, onChange, prepare, remembered, say, sendSoon, sync,
  takeBackHere, takeHere, trusted, unsent,
};

import 'reflect-metadata';
import * as common from '@nestjs/common';
import * as core from '@nestjs/core';
import * as timeouts from 'nestjs-timeouts';
import { bootAndAsk } from './budget-app.cjs';

await bootAndAsk(common, core, timeouts);
